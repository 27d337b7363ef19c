"""Replies as mail programs write them, in many languages: what stands over a quote, under a letter, and whole letters. Invented, each in the form
of its program."""

# fmt: off
ATTRIBUTIONS = {
    "gmail": "On Thu, Nov 26, 2026 at 9:04 AM Helpdesk <help@desk.example> wrote:",
    "gmail wrapped": (
        "On Thu, 26 Nov 2026 at 09:04, Helpdesk of the Faculty of Law <\n"
        "helpdesk-of-the-faculty@university.example> wrote:"
    ),
    "evolution": "On Thu, 2026-11-26 at 09:04 +0100, Helpdesk wrote:",
    "kmail": "On Thursday, 26 November 2026 09:04:12 CET Helpdesk wrote:",
    "kmail nb": "torsdag 26. november 2026 09:04:12 CET skrev Helpdesk:",
    "kmail de": "Am Donnerstag, 26. November 2026, 09:04:12 CET schrieb Helpdesk:",
    "mutt": "On Thu, Nov 26, 2026 at 09:04:12AM +0100, Helpdesk wrote:",
    "spark": "On 26 Nov 2026, 09:04 +0100, Helpdesk <help@desk.example>, wrote:",
    "superhuman": "On Thu, Nov 26, 2026 at 9:04 AM, Helpdesk < help@desk.example > wrote:",
    "k9": "On 26 November 2026 09:04:12 CET, Helpdesk <help@desk.example> wrote:",
    "proton": "On Thursday, November 26th, 2026 at 09:04, Helpdesk <help@desk.example> wrote:",
    "yahoo": "On Thursday, November 26, 2026 at 09:04:12 AM GMT+1, Helpdesk <help@desk.example> wrote:",
    "yahoo de": "Am Donnerstag, 26. November 2026 um 09:04:12 MEZ hat Helpdesk <help@desk.example> Folgendes geschrieben:",
    "yahoo fr": "Le jeudi 26 novembre 2026 à 09:04:12 UTC+1, Helpdesk <help@desk.example> a écrit :",
    "yahoo es": "El jueves, 26 de noviembre de 2026, 09:04:12 CET, Helpdesk <help@desk.example> escribió:",
    "yahoo it": "Il giovedì 26 novembre 2026 alle ore 09:04:12 CET, Helpdesk <help@desk.example> ha scritto:",
    "yahoo da": "Den torsdag den 26. november 2026 kl. 09.04.12 CET skrev Helpdesk <help@desk.example>:",
    "yahoo sv": "Den torsdag 26 november 2026 09:04:12 CET, Helpdesk <help@desk.example> skrev:",
    "yahoo nb": "På torsdag 26. november 2026 09:04:12 CET, skrev Helpdesk <help@desk.example>:",
    "yahoo nl": "Op donderdag 26 november 2026 om 09:04:12 CET schreef Helpdesk <help@desk.example>:",
    "yahoo pl": "W dniu czwartek, 26 listopada 2026 09:04:12 CET użytkownik Helpdesk <help@desk.example> napisał:",
    "sogo": "On Thursday, November 26, 2026 09:04 CET, Helpdesk <help@desk.example> wrote:",
    "sogo de": "Am Donnerstag, 26. November 2026 09:04 CET, schrieb Helpdesk <help@desk.example>:",
    "ox de": "Helpdesk <help@desk.example> hat am 26.11.2026 09:04 CET geschrieben:",
    "ox en": "On 11/26/2026 9:04 AM CET Helpdesk <help@desk.example> wrote:",
    "ox fr": "Le 26/11/2026 09:04 CET, Helpdesk <help@desk.example> a écrit :",
    "roundcube": "On 2026-11-26 09:04, Helpdesk wrote:",
    "roundcube de": "Am 2026-11-26 09:04, schrieb Helpdesk:",
    "roundcube de2": "Am 26.11.2026 09:04 schrieb Helpdesk:",
    "roundcube nb": "Den 2026-11-26 09:04, skrev Helpdesk:",
    "roundcube nb2": "Den 26.11.2026 09:04, skrev Helpdesk:",
    "roundcube fr": "Le 2026-11-26 09:04, Helpdesk a écrit :",
    "roundcube ru": "Helpdesk писал 2026-11-26 09:04:",
    "roundcube ru2": "Helpdesk писал(а) 2026-11-26 09:04:",
    "roundcube pl": "W dniu 2026-11-26 09:04, Helpdesk napisał(a):",
    "roundcube es": "El 2026-11-26 09:04, Helpdesk escribió:",
    "roundcube it": "Il 2026-11-26 09:04 Helpdesk ha scritto:",
    "roundcube nl": "Helpdesk schreef op 2026-11-26 09:04:",
    "roundcube sv": "Helpdesk skrev den 2026-11-26 09:04:",
    "roundcube pt": "Em 2026-11-26 09:04, Helpdesk escreveu:",
    "roundcube cs": "Dne 2026-11-26 09:04, Helpdesk napsal:",
    "roundcube fi": "Helpdesk kirjoitti 26.11.2026 09:04:",
    "thunderbird": "On 26/11/2026 09:04, Helpdesk wrote:",
    "thunderbird us": "On 11/26/26 9:04 AM, Helpdesk wrote:",
    "thunderbird new": "On 11/26/26 09:04, Helpdesk via Desk wrote:",
    "thunderbird de": "Am 26.11.26 um 09:04 schrieb Helpdesk:",
    "thunderbird nb": "Den 26.11.2026 09:04, skrev Helpdesk:",
    "thunderbird nb2": "Helpdesk skrev den 26.11.2026 09:04:",
    "thunderbird sv": "Den 2026-11-26 kl. 09:04, skrev Helpdesk:",
    "thunderbird da": "Den 26.11.2026 kl. 09.04 skrev Helpdesk:",
    "thunderbird nl": "Op 26-11-2026 om 09:04 schreef Helpdesk:",
    "thunderbird fr": "Le 26/11/2026 à 09:04, Helpdesk a écrit :",
    "thunderbird es": "El 26/11/26 a las 9:04, Helpdesk escribió:",
    "thunderbird it": "Il 26/11/26 09:04, Helpdesk ha scritto:",
    "thunderbird pl": "W dniu 26.11.2026 o 09:04, Helpdesk pisze:",
    "thunderbird ru": "26.11.2026 9:04, Helpdesk пишет:",
    "thunderbird fi": "Helpdesk kirjoitti 26.11.2026 klo 9.04:",
    "thunderbird pt": "Às 09:04 de 26/11/2026, Helpdesk escreveu:",
    "thunderbird ptbr": "Em 26/11/2026 09:04, Helpdesk escreveu:",
    "thunderbird cs": "Dne 26. 11. 26 v 9:04 Helpdesk napsal(a):",
    "thunderbird hu": "2026. 11. 26. 9:04 keltezéssel, Helpdesk írta:",
    "thunderbird ja": "On 2026/11/26 9:04, Helpdesk wrote:",
    "thunderbird ca": "El 26/11/26 a les 9:04, Helpdesk ha escrit:",
    "thunderbird tr": "26.11.2026 09:04 tarihinde Helpdesk yazdı:",
    "thunderbird uk": "26.11.26 09:04, Helpdesk пише:",
    "thunderbird ro": "Pe 26.11.2026 09:04, Helpdesk a scris:",
    "thunderbird el": "Στις 26/11/26 09:04, ο/η Helpdesk έγραψε:",
    "gmail nb": "tor. 26. nov. 2026 kl. 09:04 skrev Helpdesk <help@desk.example>:",
    "gmail nn": "tor. 26. nov. 2026 kl. 09:04 skreiv Helpdesk <help@desk.example>:",
    "gmail sv": "Den tors 26 nov. 2026 kl 09:04 skrev Helpdesk <help@desk.example>:",
    "gmail da": "Den tors. 26. nov. 2026 kl. 09.04 skrev Helpdesk <help@desk.example>:",
    "gmail nl": "Op do 26 nov 2026 om 09:04 schreef Helpdesk <help@desk.example>:",
    "gmail de": "Am Do., 26. Nov. 2026 um 09:04 Uhr schrieb Helpdesk <help@desk.example>:",
    "gmail de wrapped": (
        "Am Do., 26. Nov. 2026 um 09:04 Uhr schrieb Helpdesk <\n"
        "help@desk.example>:"
    ),
    "gmail fr": "Le jeu. 26 nov. 2026 à 09:04, Helpdesk <help@desk.example> a écrit :",
    "gmail es": "El jue, 26 nov 2026 a las 9:04, Helpdesk (<help@desk.example>) escribió:",
    "gmail it": "Il giorno gio 26 nov 2026 alle ore 09:04 Helpdesk <help@desk.example> ha scritto:",
    "gmail pl": "czw., 26 lis 2026 o 09:04 Helpdesk <help@desk.example> napisał(a):",
    "gmail ru": "чт, 26 нояб. 2026 г. в 09:04, Helpdesk <help@desk.example>:",
    "gmail pt": "Em qui., 26 de nov. de 2026 às 09:04, Helpdesk <help@desk.example> escreveu:",
    "gmail ptpt": "Helpdesk <help@desk.example> escreveu (quinta, 26/11/2026 à(s) 09:04):",
    "gmail fi": "to 26. marrask. 2026 klo 9.04 Helpdesk (help@desk.example) kirjoitti:",
    "gmail cs": "čt 26. 11. 2026 v 9:04 odesílatel Helpdesk <help@desk.example> napsal:",
    "gmail sk": "št 26. 11. 2026 o 9:04 Helpdesk <help@desk.example> napísal(a):",
    "gmail hu": "Helpdesk <help@desk.example> ezt írta (időpont: 2026. nov. 26., Cs, 9:04):",
    "gmail tr": "Helpdesk <help@desk.example>, 26 Kas 2026 Per, 09:04 tarihinde şunu yazdı:",
    "gmail el": "Στις Πέμ 26 Νοε 2026 στις 9:04 π.μ., ο χρήστης Helpdesk <help@desk.example> έγραψε:",
    "gmail ro": "În joi, 26 nov. 2026 la 09:04, Helpdesk <help@desk.example> a scris:",
    "gmail hr": "čet, 26. stu 2026. u 09:04 Helpdesk <help@desk.example> napisao je:",
    "gmail sl": "V V čet., 26. nov. 2026 ob 09:04 je oseba Helpdesk <help@desk.example> napisala:",
    "gmail bg": "На чт, 26.11.2026 г. в 9:04 Helpdesk <help@desk.example> написа:",
    "gmail uk": "чт, 26 лист. 2026 р. о 09:04 Helpdesk <help@desk.example> пише:",
    "gmail lt": "2026-11-26, kt, 09:04 Helpdesk <help@desk.example> rašė:",
    "gmail lv": "ceturtd., 2026. g. 26. nov., plkst. 09:04 — lietotājs Helpdesk (<help@desk.example>) rakstīja:",
    "gmail et": "Kontakt Helpdesk (<help@desk.example>) kirjutas kuupäeval N, 26. november 2026 kell 09:04:",
    "gmail is": "Þann fim., 26. nóv. 2026 kl. 09:04 skrifaði Helpdesk <help@desk.example>:",
    "gmail ja": "2026年11月26日(木) 9:04 Helpdesk <help@desk.example>:",
    "gmail zh": "Helpdesk <help@desk.example> 于2026年11月26日周四 09:04写道：",
    "gmail zhtw": "Helpdesk <help@desk.example> 於 2026年11月26日 週四 上午9:04寫道：",
    "gmail ko": "2026년 11월 26일 (목) 오전 9:04, Helpdesk <help@desk.example>님이 작성:",
    "gmail vi": "Vào Th 5, 26 thg 11, 2026 vào lúc 09:04 Helpdesk <help@desk.example> đã viết:",
    "gmail id": "Pada Kam, 26 Nov 2026 pukul 09.04 Helpdesk <help@desk.example> menulis:",
    "gmail th": "ในวันที่ พฤ. 26 พ.ย. 2026 เวลา 09:04 Helpdesk <help@desk.example> เขียนว่า:",
    "gmail ar": "في الخميس، 26 نوفمبر 2026 في 9:04 ص تمت كتابة ما يلي بواسطة Helpdesk <help@desk.example>:",
    "gmail he": "\u202bבתאריך יום ה׳, 26 בנוב׳ 2026 ב-9:04 מאת \u202aHelpdesk\u202c\u200f <\u202ahelp@desk.example\u202c\u200f>:\u202c",
    "gmail ca": "Missatge de Helpdesk <help@desk.example> del dia dj., 26 de nov. 2026 a les 9:04:",
    "gmail fa": "در تاریخ پنجشنبه ۲۶ نوامبر ۲۰۲۶ ساعت ۹:۰۴ Helpdesk <help@desk.example> نوشت:",
    "apple nb": "26. nov. 2026 kl. 09:04 skrev Helpdesk <help@desk.example>:",
    "apple sv": "26 nov. 2026 kl. 09:04 skrev Helpdesk <help@desk.example>:",
    "apple da": "Den 26. nov. 2026 kl. 09.04 skrev Helpdesk <help@desk.example>:",
    "apple de": "Am 26.11.2026 um 09:04 schrieb Helpdesk <help@desk.example>:",
    "apple nl": "Op 26 nov 2026, om 09:04 heeft Helpdesk <help@desk.example> het volgende geschreven:",
    "apple fr": "Le 26 nov. 2026 à 09:04, Helpdesk <help@desk.example> a écrit :",
    "apple es": "El 26 nov 2026, a las 9:04, Helpdesk <help@desk.example> escribió:",
    "apple it": "Il giorno 26 nov 2026, alle ore 09:04, Helpdesk <help@desk.example> ha scritto:",
    "apple ru": "26 нояб. 2026 г., в 09:04, Helpdesk <help@desk.example> написал(а):",
    "apple pl": "Wiadomość napisana przez Helpdesk <help@desk.example> w dniu 26.11.2026, o godz. 09:04:",
    "apple pl2": "W dniu 26 lis 2026, o 09:04, Helpdesk <help@desk.example> napisał:",
    "apple pt": "No dia 26/11/2026, às 09:04, Helpdesk <help@desk.example> escreveu:",
    "apple br": "Em 26 de nov. de 2026, à(s) 09:04, Helpdesk <help@desk.example> escreveu:",
    "apple fi": "Helpdesk <help@desk.example> kirjoitti 26.11.2026 kello 9.04:",
    "apple cs": "26. 11. 2026 v 9:04, Helpdesk <help@desk.example>:",
    "apple hu": "2026. nov. 26. dátummal, 9:04 időpontban Helpdesk <help@desk.example> írta:",
    "apple tr": "Helpdesk <help@desk.example> şunları yazdı (26 Kas 2026 09:04):",
    "apple ja": "2026/11/26 9:04、Helpdesk <help@desk.example>のメール:",
    "apple zh": "2026年11月26日 09:04，Helpdesk <help@desk.example> 写道：",
    "apple zh2": "在 2026年11月26日，09:04，Helpdesk <help@desk.example> 写道：",
    "apple ko": "2026. 11. 26. 오전 9:04, Helpdesk <help@desk.example> 작성:",
    "apple ca": "El 26 nov 2026, a les 9:04, Helpdesk <help@desk.example> va escriure:",
    "apple hr": "Dana 26.11.2026. u 09:04, korisnik Helpdesk <help@desk.example> je napisao:",
    "apple sk": "26. 11. 2026 o 9:04, Helpdesk <help@desk.example> napísal(a):",
    "apple ro": "Pe 26 nov. 2026, la 09:04, Helpdesk <help@desk.example> a scris:",
    "apple el": "Στις 26 Νοε 2026, στις 09:04, ο χρήστης Helpdesk <help@desk.example> έγραψε:",
    "apple uk": "26 лист. 2026 р. о 09:04 Helpdesk <help@desk.example> написав(-ла):",
    "yandex": '26.11.2026, 09:04, "Helpdesk" <help@desk.example>:',
    "yandex old": '26.11.2026, 09:04, "Helpdesk" <help@desk.example> написал(а):',
    "mail.ru": "Четверг, 26 ноября 2026, 9:04 +03:00 от Helpdesk <help@desk.example>:",
    "mail.ru en": "Thursday, 26 November 2026, 09:04 +03:00 from Helpdesk <help@desk.example>:",
    "o2": "Dnia 26 listopada 2026 09:04 Helpdesk <help@desk.example> napisał(a):",
    "onet": "W dniu 2026-11-26 09:04:12 użytkownik Helpdesk <help@desk.example> napisał:",
    "lotus inotes": "-----Helpdesk <help@desk.example> wrote: -----",
    "lotus inotes quoted": '-----"Helpdesk" <help@desk.example> wrote: -----',
    "lotus inotes nb": "-----Helpdesk <help@desk.example> skrev: -----",
    "lotus inotes de": "-----Helpdesk <help@desk.example> schrieb: -----",
    "gnus": "Helpdesk <help@desk.example> writes:",
    "gnus nb": "Helpdesk <help@desk.example> skriver:",
    "gnus de": "Helpdesk <help@desk.example> schreibt:",
    "hotmail": (
        "Date: Thu, 26 Nov 2026 09:04:12 +0100\n"
        "Subject: Re: Printer\n"
        "From: help@desk.example\n"
        "To: jane@customer.example"
    ),
    "groupwise": ">>> Helpdesk <help@desk.example> 26.11.2026 09:04 >>>",
    "groupwise en": ">>> Helpdesk <help@desk.example> 11/26/2026 9:04 AM >>>",
    "zimbra": (
        "----- Original Message -----\n"
        'From: "Helpdesk" <help@desk.example>\n'
        'To: "Jane Roe" <jane@customer.example>\n'
        "Sent: Thursday, 26 November, 2026 09:04:12\n"
        "Subject: Re: Printer"
    ),
    "zimbra de": (
        "----- Ursprüngliche Mail -----\n"
        'Von: "Helpdesk" <help@desk.example>\n'
        'An: "Jane Roe" <jane@customer.example>\n'
        "Gesendet: Donnerstag, 26. November 2026 09:04:12\n"
        "Betreff: Re: Drucker"
    ),
    "zimbra fr": (
        "----- Mail original -----\n"
        'De: "Helpdesk" <help@desk.example>\n'
        'À: "Jane Roe" <jane@customer.example>\n'
        "Envoyé: Jeudi 26 Novembre 2026 09:04:12\n"
        "Objet: Re: Imprimante"
    ),
    "zimbra es": (
        "----- Mensaje original -----\n"
        'De: "Helpdesk" <help@desk.example>\n'
        'Para: "Jane Roe" <jane@customer.example>\n'
        "Enviados: Jueves, 26 de Noviembre 2026 9:04:12\n"
        "Asunto: Re: Impresora"
    ),
    "zimbra it": (
        "----- Messaggio originale -----\n"
        'Da: "Helpdesk" <help@desk.example>\n'
        'A: "Jane Roe" <jane@customer.example>\n'
        "Inviato: Giovedì, 26 novembre 2026 9:04:12\n"
        "Oggetto: Re: Stampante"
    ),
    "zimbra pl": (
        "----- Oryginalna wiadomość -----\n"
        'Od: "Helpdesk" <help@desk.example>\n'
        'Do: "Jane Roe" <jane@customer.example>\n'
        "Wysłane: czwartek, 26 listopad 2026 9:04:12\n"
        "Temat: Re: Drukarka"
    ),
    "zimbra ru": (
        "----- Исходное сообщение -----\n"
        'От: "Helpdesk" <help@desk.example>\n'
        'Кому: "Jane Roe" <jane@customer.example>\n'
        "Отправленные: Четверг, 26 Ноябрь 2026 г 9:04:12\n"
        "Тема: Re: Принтер"
    ),
    "gmx": (
        "Gesendet: Donnerstag, 26. November 2026 um 09:04 Uhr\n"
        'Von: "Helpdesk" <help@desk.example>\n'
        "An: jane@customer.example\n"
        "Betreff: Re: Drucker"
    ),
    "gmx en": (
        "Sent: Thursday, November 26, 2026 at 9:04 AM\n"
        'From: "Helpdesk" <help@desk.example>\n'
        "To: jane@customer.example\n"
        "Subject: Re: Printer"
    ),
    "t-online": (
        "-----Original-Nachricht-----\n"
        "Betreff: Re: Drucker\n"
        "Datum: 2026-11-26T09:04:12+0100\n"
        'Von: "Helpdesk" <help@desk.example>\n'
        'An: "jane@customer.example" <jane@customer.example>'
    ),
    "orange new": (
        "envoyé : 26 novembre 2026 à 09:04\n"
        "de : Helpdesk <help@desk.example>\n"
        "à : jane@customer.example\n"
        "objet : Re: Imprimante"
    ),
    "interia": (
        'Od: "Helpdesk" <help@desk.example>\n'
        'Do: "Jane Roe" <jane@customer.example>; \n'
        "Wysłane: 9:04 Czwartek 2026-11-26\n"
        "Temat: Re: Drukarka"
    ),
    "samsung": (
        "-------- Original message --------\n"
        "From: Helpdesk <help@desk.example>\n"
        "Date: 26/11/2026 09:04 (GMT+01:00)\n"
        "To: jane@customer.example\n"
        "Subject: Re: Printer"
    ),
    "samsung nb": (
        "-------- Opprinnelig melding --------\n"
        "Fra: Helpdesk <help@desk.example>\n"
        "Dato: 26.11.2026 09:04 (GMT+01:00)\n"
        "Til: jane@customer.example\n"
        "Emne: Re: Skriver"
    ),
    "samsung de": (
        "-------- Ursprüngliche Nachricht --------\n"
        "Von: Helpdesk <help@desk.example>\n"
        "Datum: 26.11.26 09:04 (GMT+01:00)\n"
        "An: jane@customer.example\n"
        "Betreff: Re: Drucker"
    ),
    "samsung sv": (
        "-------- Originalmeddelande --------\n"
        "Från: Helpdesk <help@desk.example>\n"
        "Datum: 2026-11-26 09:04 (GMT+01:00)\n"
        "Till: jane@customer.example\n"
        "Ämne: Re: Skrivare"
    ),
    "samsung ru": (
        "-------- Исходное сообщение --------\n"
        "От: Helpdesk <help@desk.example>\n"
        "Дата: 26.11.26 09:04 (GMT+03:00)\n"
        "Кому: jane@customer.example\n"
        "Тема: Re: Принтер"
    ),
    "outlook": (
        "From: Helpdesk <help@desk.example>\n"
        "Sent: Thursday, November 26, 2026 9:04 AM\n"
        "To: Jane Roe <jane@customer.example>\n"
        "Subject: RE: [Ticket#2026112610000123] Printer"
    ),
    "outlook on behalf": (
        "From: desk@desk.example [mailto:desk@desk.example] On Behalf Of Helpdesk\n"
        "Sent: 26 November 2026 09:04\n"
        "To: Jane Roe\n"
        "Cc: Per Hansen; Kari Nordmann; Ola Nordmann; Somebody Else; And yet\n"
        "another one\n"
        "Subject: RE: Printer\n"
        "Importance: High"
    ),
    "outlook mac": (
        "From: Helpdesk <help@desk.example>\n"
        "Date: Thursday, 26 November 2026 at 09:04\n"
        "To: Jane Roe <jane@customer.example>\n"
        "Subject: Re: Printer"
    ),
    "outlook mac bold": (
        "**From: **Helpdesk <help@desk.example>\n"
        "**Date: **Thursday, 26 November 2026 at 09:04\n"
        "**To: **Jane Roe <jane@customer.example>\n"
        "**Subject: **Re: Printer"
    ),
    "outlook ruler": (
        "________________________________\n"
        "From: Helpdesk <help@desk.example>\n"
        "Sent: Thursday, November 26, 2026 9:04:12 AM\n"
        "To: Jane Roe\n"
        "Subject: Re: Printer"
    ),
    "outlook nb": (
        "Fra: Helpdesk <help@desk.example> \n"
        "Sendt: torsdag 26. november 2026 09:04\n"
        "Til: Jane Roe <jane@customer.example>\n"
        "Kopi: Per Hansen\n"
        "Emne: SV: Skriver"
    ),
    "outlook nn": (
        "Frå: Helpdesk <help@desk.example> \n"
        "Sendt: torsdag 26. november 2026 09:04\n"
        "Til: Jane Roe <jane@customer.example>\n"
        "Emne: SV: Skrivar"
    ),
    "outlook sv": (
        "Från: Helpdesk <help@desk.example>\n"
        "Skickat: den 26 november 2026 09:04\n"
        "Till: Jane Roe\n"
        "Kopia: Per\n"
        "Ämne: SV: Skrivare"
    ),
    "outlook da": (
        "Fra: Helpdesk <help@desk.example>\n"
        "Sendt: 26. november 2026 09:04\n"
        "Til: Jane Roe\n"
        "Cc: Per\n"
        "Emne: SV: Printer"
    ),
    "outlook de": (
        "Von: Helpdesk <help@desk.example>\n"
        "Gesendet: Donnerstag, 26. November 2026 09:04\n"
        "An: Jane Roe\n"
        "Betreff: AW: Drucker"
    ),
    "outlook nl": (
        "Van: Helpdesk <help@desk.example>\n"
        "Verzonden: donderdag 26 november 2026 09:04\n"
        "Aan: Jane Roe\n"
        "Onderwerp: RE: Printer"
    ),
    "outlook fr": (
        "De : Helpdesk <help@desk.example>\n"
        "Envoyé : jeudi 26 novembre 2026 09:04\n"
        "À : Jane Roe\n"
        "Cc : Per\n"
        "Objet : RE: Imprimante"
    ),
    "outlook es": (
        "De: Helpdesk <help@desk.example>\n"
        "Enviado: jueves, 26 de noviembre de 2026 9:04\n"
        "Para: Jane Roe\n"
        "CC: Per\n"
        "Asunto: RE: Impresora"
    ),
    "outlook it": (
        "Da: Helpdesk <help@desk.example>\n"
        "Inviato: giovedì 26 novembre 2026 09:04\n"
        "A: Jane Roe\n"
        "Oggetto: R: Stampante"
    ),
    "outlook pl": (
        "Od: Helpdesk <help@desk.example>\n"
        "Wysłano: czwartek, 26 listopada 2026 09:04\n"
        "Do: Jane Roe\n"
        "DW: Per\n"
        "Temat: ODP: Drukarka"
    ),
    "outlook ru": (
        "От: Helpdesk <help@desk.example>\n"
        "Отправлено: 26 ноября 2026 г. 9:04\n"
        "Кому: Jane Roe\n"
        "Тема: RE: Принтер"
    ),
    "outlook ru from en": (
        "From: Helpdesk <help@desk.example> \n"
        "Sent: Thursday, November 26, 2026 9:04 AM\n"
        "To: Иван <ivan@customer.example>\n"
        "Subject: RE: Принтер"
    ),
    "outlook pt": (
        "De: Helpdesk <help@desk.example>\n"
        "Enviada: 26 de novembro de 2026 09:04\n"
        "Para: Jane Roe\n"
        "Assunto: RE: Impressora"
    ),
    "outlook ptbr": (
        "De: Helpdesk <help@desk.example>\n"
        "Enviado: quinta-feira, 26 de novembro de 2026 09:04\n"
        "Para: Jane Roe\n"
        "Assunto: RES: Impressora"
    ),
    "outlook fi": (
        "Lähettäjä: Helpdesk <help@desk.example>\n"
        "Lähetetty: torstai 26. marraskuuta 2026 9.04\n"
        "Vastaanottaja: Jane Roe\n"
        "Aihe: VS: Tulostin"
    ),
    "outlook cs": (
        "From: Helpdesk <help@desk.example>\n"
        "Sent: čtvrtek 26. listopadu 2026 9:04\n"
        "To: Jane Roe\n"
        "Subject: RE: Tiskárna"
    ),
    "outlook cs2": (
        "Od: Helpdesk <help@desk.example>\n"
        "Odesláno: čtvrtek 26. listopadu 2026 9:04\n"
        "Komu: Jane Roe\n"
        "Předmět: RE: Tiskárna"
    ),
    "outlook hu": (
        "Feladó: Helpdesk <help@desk.example>\n"
        "Elküldve: 2026. november 26., csütörtök 9:04\n"
        "Címzett: Jane Roe\n"
        "Tárgy: RE: Nyomtató"
    ),
    "outlook tr": (
        "Gönderen: Helpdesk <help@desk.example>\n"
        "Gönderildi: 26 Kasım 2026 Perşembe 09:04\n"
        "Kime: Jane Roe\n"
        "Konu: YNT: Yazıcı"
    ),
    "outlook el": (
        "Από: Helpdesk <help@desk.example>\n"
        "Στάλθηκε: Πέμπτη, 26 Νοεμβρίου 2026 9:04 πμ\n"
        "Προς: Jane Roe\n"
        "Θέμα: RE: Εκτυπωτής"
    ),
    "outlook uk": (
        "Від: Helpdesk <help@desk.example>\n"
        "Надіслано: 26 листопада 2026 р. 9:04\n"
        "Кому: Jane Roe\n"
        "Тема: RE: Принтер"
    ),
    "outlook ja": (
        "差出人: Helpdesk <help@desk.example>\n"
        "送信日時: 2026年11月26日 9:04\n"
        "宛先: Jane Roe\n"
        "件名: RE: プリンター"
    ),
    "outlook zh": (
        "发件人: Helpdesk <help@desk.example>\n"
        "发送时间: 2026年11月26日 9:04\n"
        "收件人: Jane Roe\n"
        "主题: RE: 打印机"
    ),
    "outlook zhtw": (
        "寄件者: Helpdesk <help@desk.example>\n"
        "寄件日期: 2026年11月26日 上午 09:04\n"
        "收件者: Jane Roe\n"
        "主旨: RE: 印表機"
    ),
    "outlook ko": (
        "보낸 사람: Helpdesk <help@desk.example>\n"
        "보낸 날짜: 2026년 11월 26일 목요일 오전 9:04\n"
        "받는 사람: Jane Roe\n"
        "제목: RE: 프린터"
    ),
    "outlook ro": (
        "De la: Helpdesk <help@desk.example>\n"
        "Trimis: joi, 26 noiembrie 2026 09:04\n"
        "Către: Jane Roe\n"
        "Subiect: RE: Imprimanta"
    ),
    "outlook hr": (
        "Od: Helpdesk <help@desk.example>\n"
        "Poslano: 26. studenog 2026. 9:04\n"
        "Prima: Jane Roe\n"
        "Predmet: RE: Pisač"
    ),
    "outlook he": (
        "מאת: Helpdesk <help@desk.example>\n"
        "נשלח: יום חמישי 26 נובמבר 2026 09:04\n"
        "אל: Jane Roe\n"
        "נושא: RE: מדפסת"
    ),
    "outlook ar": (
        "من: Helpdesk <help@desk.example>\n"
        "تم الإرسال: 26/نوفمبر/2026 09:04 ص\n"
        "إلى: Jane Roe\n"
        "الموضوع: RE: طابعة"
    ),
    "outlook bg": (
        "От: Helpdesk <help@desk.example>\n"
        "Изпратено: четвъртък, 26 ноември 2026 г. 9:04\n"
        "До: Jane Roe\n"
        "Относно: RE: Принтер"
    ),
    "lotus": (
        "From:   Helpdesk <help@desk.example>\n"
        "To:     Jane Roe/HR/Acme@ACME\n"
        "Date:   26/11/2026 09:04\n"
        "Subject:        Re: Printer"
    ),
    "lotus de": (
        "Von:    Helpdesk <help@desk.example>\n"
        "An:     Jane Roe/HR/Acme@ACME\n"
        "Datum:  26.11.2026 09:04\n"
        "Betreff:        Re: Drucker"
    ),
    "lotus sent by": (
        'From:        "Helpdesk" <help@desk.example>\n'
        "To:        Jane Roe/HR/Acme@ACME, \n"
        "Cc:        Per Hansen/IT/Acme@ACME\n"
        "Date:        26.11.2026 09:04\n"
        "Subject:        Re: Printer\n"
        "Sent by:        per@acme.example"
    ),
    "qq": (
        "------------------ 原始邮件 ------------------\n"
        '发件人: "Helpdesk" <help@desk.example>;\n'
        "发送时间: 2026年11月26日(星期四) 上午9:04\n"
        '收件人: "Jane"<jane@customer.example>;\n'
        "主题: Re: 打印机"
    ),
    "163": 'At 2026-11-26 09:04:12, "Helpdesk" <help@desk.example> wrote:',
    "163 zh": '在 2026-11-26 09:04:12，"Helpdesk" <help@desk.example> 写道：',
    "naver": (
        "-----Original Message-----\n"
        'From: "Helpdesk"<help@desk.example>\n'
        "To: <jane@customer.example>\n"
        "Cc:\n"
        "Sent: 2026-11-26 (목) 09:04:12 (GMT+09:00)\n"
        "Subject: Re: 프린터"
    ),
    "pegasus": "On 26 Nov 2026 at 9:04, Helpdesk wrote:",
    "eudora": "At 09:04 26/11/2026, Helpdesk wrote:",
    "eudora us": "At 09:04 AM 11/26/2026, you wrote:",
    "thebat": "Thursday, November 26, 2026, 9:04:12 AM, you wrote:",
    "seamonkey": "Helpdesk wrote on 26/11/2026 09:04:",
    "fairemail": "On November 26, 2026 9:04:12 AM GMT+01:00, Helpdesk <help@desk.example> wrote:",
    "front": "On November 26, 2026 at 9:04 AM GMT+1 help@desk.example wrote:",
    "missive": "On November 26, 2026 at 9:04 AM, Helpdesk <help@desk.example> wrote:",
    "zoho": "---- On Thu, 26 Nov 2026 09:04:12 +0100 Helpdesk <help@desk.example> wrote ----",
    "zoho2": "---- On Thu, 26 Nov 2026 09:04:12 +0100 help@desk.example wrote ----",
    "zendesk delim": "##- Please type your reply above this line -##",
    "apple sig": "On Nov 26, 2026, at 9:04 AM, Helpdesk <help@desk.example> wrote:",
    "aol": (
        "-----Original Message-----\n"
        "From: Helpdesk <help@desk.example>\n"
        "To: jane@customer.example\n"
        "Sent: Thu, Nov 26, 2026 9:04 am\n"
        "Subject: Re: Printer"
    ),
    "gmail android": "On Thu, 26 Nov 2026, 09:04 Helpdesk, <help@desk.example> wrote:",
    "bluemail": 'On 26 Nov 2026, at 09:04, "Helpdesk" <help@desk.example> wrote:',
    "em client": (
        "------ Original Message ------\n"
        'From: "Helpdesk" <help@desk.example>\n'
        "To: jane@customer.example\n"
        "Sent: 26/11/2026 09:04:12\n"
        "Subject: Re: Printer"
    ),
    "em client de": (
        "------ Originalnachricht ------\n"
        'Von: "Helpdesk" <help@desk.example>\n'
        "An: jane@customer.example\n"
        "Gesendet: 26.11.2026 09:04:12\n"
        "Betreff: Re: Drucker"
    ),
    "em client new": (
        "------ Original Message ------\n"
        'From "Helpdesk" <help@desk.example>\n'
        "To jane@customer.example\n"
        "Date 26/11/2026 09:04:12\n"
        "Subject Re: Printer"
    ),
    "windows mail": (
        "From: Helpdesk\n"
        "Sent: Thursday, 26 November 2026 09:04\n"
        "To: Jane Roe\n"
        "Subject: Re: Printer"
    ),
    "tutanota": "26 Nov 2026, 09:04 by help@desk.example:",
    "tutanota de": "26. Nov. 2026, 09:04 von help@desk.example:",
    "hey": "On November 26, 2026, Helpdesk <help@desk.example> wrote:",
    "rainloop": 'November 26, 2026 9:04 AM, "Helpdesk" <help@desk.example> wrote:',
    "rainloop de": '26. November 2026 09:04, "Helpdesk" <help@desk.example> schrieb:',
    "nine": (
        "_____________________________\n"
        "From: Helpdesk <help@desk.example>\n"
        "Sent: Thursday, November 26, 2026 9:04\n"
        "To: Jane Roe\n"
        "Subject: Re: Printer"
    ),
    "blackberry": (
        "From: Helpdesk [mailto:help@desk.example]\n"
        "Sent: Thursday, November 26, 2026 09:04 AM\n"
        "To: Jane Roe\n"
        "Subject: Re: Printer\n"
        ""
    ),
    "claws": (
        "On Thu, 26 Nov 2026 09:04:12 +0100\n"
        "Helpdesk <help@desk.example> wrote:"
    ),
    "claws fr": (
        "Le Thu, 26 Nov 2026 09:04:12 +0100,\n"
        "Helpdesk <help@desk.example> a écrit :"
    ),
    "pine": "On Thu, 26 Nov 2026, Helpdesk wrote:",
    "horde": "Quoting Helpdesk <help@desk.example>:",
    "horde de": "Zitat von Helpdesk <help@desk.example>:",
    "horde nl": "Citeren Helpdesk <help@desk.example>:",
    "horde fr": "Helpdesk <help@desk.example> a écrit :",
    "horde es": "Helpdesk <help@desk.example> escribió:",
    "horde pl": "Cytowanie Helpdesk <help@desk.example>:",
}
"""Program and language -> what it writes over the words that it quotes."""

DISCLAIMERS = {
    "en": "This e-mail and any attachments are confidential and intended solely for the addressee. If you have received this message in error, please notify the sender and delete it.",
    "en2": "The information contained in this transmission may be privileged and confidential. If the reader of this message is not the intended recipient, you are hereby notified that any dissemination is strictly prohibited.",
    "en3": "Acme Ltd is registered in England and Wales, number 0123456. Registered office: 1 High Street, London. This email may contain legally privileged information; unauthorised use is prohibited.",
    "nb": "Denne e-posten kan inneholde konfidensiell informasjon og er kun ment for mottakeren. Dersom du har mottatt e-posten ved en feil, ber vi deg slette den og varsle avsenderen.",
    "nn": "Denne e-posten er berre meint for mottakaren. Har du fått e-posten ved ein feil, ver venleg og slett han og sei frå til avsendaren.",
    "sv": "Detta meddelande är endast avsett för mottagaren och kan innehålla konfidentiell information. Om du har fått meddelandet av misstag, vänligen radera det och meddela avsändaren.",
    "da": "Denne e-mail er fortrolig og kun beregnet for den rette modtager. Hvis du har modtaget e-mailen ved en fejl, bedes du slette den og underrette afsenderen.",
    "nl": "De informatie in dit bericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde. Indien u dit bericht ten onrechte heeft ontvangen, verzoeken wij u het te vernietigen en de afzender te informeren.",
    "de": "Diese E-Mail enthält vertrauliche und/oder rechtlich geschützte Informationen. Wenn Sie nicht der richtige Adressat sind oder diese E-Mail irrtümlich erhalten haben, informieren Sie bitte sofort den Absender und vernichten Sie diese Mail.",
    "de2": "Der Inhalt dieser E-Mail ist vertraulich und ausschließlich für den bezeichneten Adressaten bestimmt. Jede Form der Kenntnisnahme oder Weitergabe durch Dritte ist unzulässig.",
    "fr": "Ce message et toutes les pièces jointes sont confidentiels et établis à l'intention exclusive de ses destinataires. Si vous avez reçu ce message par erreur, merci d'en avertir l'expéditeur et de le détruire.",
    "es": "Este mensaje y sus archivos adjuntos van dirigidos exclusivamente a su destinatario y pueden contener información confidencial. Si ha recibido este mensaje por error, le rogamos que lo comunique al remitente y lo elimine.",
    "it": "Le informazioni contenute in questo messaggio sono riservate e destinate esclusivamente al destinatario. Se avete ricevuto questo messaggio per errore, vi preghiamo di darne notizia al mittente e di cancellarlo.",
    "pl": "Niniejsza wiadomość jest przeznaczona wyłącznie dla adresata i może zawierać informacje poufne. Jeżeli nie są Państwo adresatem, prosimy o powiadomienie nadawcy i usunięcie wiadomości.",
    "ru": "Данное сообщение и все вложения являются конфиденциальными и предназначены исключительно для адресата. Если вы получили это сообщение по ошибке, пожалуйста, сообщите об этом отправителю и удалите его.",
    "fi": "Tämä viesti on luottamuksellinen ja tarkoitettu vain sen vastaanottajalle. Jos olet saanut viestin erehdyksessä, ilmoita siitä lähettäjälle ja hävitä viesti.",
    "pt": "Esta mensagem e os seus anexos são confidenciais e destinam-se exclusivamente ao seu destinatário. Se recebeu esta mensagem por engano, por favor informe o remetente e elimine-a.",
    "cs": "Tato zpráva je důvěrná a je určena výhradně adresátovi. Pokud jste ji obdrželi omylem, informujte prosím odesílatele a zprávu smažte.",
    "hu": "Ez az üzenet bizalmas információkat tartalmazhat, és kizárólag a címzettnek szól. Ha Ön tévedésből kapta meg, kérjük, értesítse a feladót, és törölje az üzenetet.",
    "tr": "Bu e-posta ve ekleri gizli bilgi içerebilir ve yalnızca alıcısına yöneliktir. Bu mesajı yanlışlıkla aldıysanız lütfen göndereni bilgilendirin ve mesajı siliniz.",
    "avast": "This email has been checked for viruses by Avast antivirus software. www.avast.com",
    "avast2": "Virus-free. www.avast.com",
    "avast de": "Diese E-Mail wurde von Avast-Antivirussoftware auf Viren geprüft. www.avast.com",
    "avast nb": "Denne e-posten er sjekket for virus av Avast antivirusprogramvare. www.avast.com",
    "avast fr": "L'absence de virus dans ce courrier électronique a été vérifiée par le logiciel antivirus Avast. www.avast.com",
    "avast es": "Este correo electrónico ha sido comprobado en busca de virus por Avast. www.avast.com",
    "avast pl": "Ta wiadomość e-mail została sprawdzona pod kątem wirusów przez oprogramowanie Avast. www.avast.com",
    "avast ru": "Это сообщение проверено на вирусы антивирусом Avast. www.avast.com",
    "env": "Please consider the environment before printing this e-mail.",
    "env2": "P Please consider the environment before printing this email",
    "env nb": "Tenk på miljøet før du skriver ut denne e-posten.",
    "env de": "Bitte denken Sie an die Umwelt, bevor Sie diese E-Mail ausdrucken.",
    "env sv": "Tänk på miljön innan du skriver ut detta mejl.",
    "env fr": "Pensez à l'environnement avant d'imprimer ce message.",
    "env nl": "Denk aan het milieu voordat u deze e-mail afdrukt.",
    "env es": "Antes de imprimir este correo piense si es necesario: el medio ambiente es cosa de todos.",
    "env it": "Rispetta l'ambiente: non stampare questa mail se non è necessario.",
    "caution": "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you recognize the sender and know the content is safe.",
}

FOOTERS = (
    "Sent from my iPhone",
    "Sent from my iPad",
    "Sent from my Galaxy",
    "Sent from my Samsung Galaxy smartphone.",
    "Sent from my Huawei phone",
    "Sent from my BlackBerry 10 smartphone.",
    "Sent from Outlook for Android",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "Sent from Mail for Windows 10",
    "Sent from Yahoo Mail on Android",
    "Sent from Yahoo Mail for iPhone",
    "Sent from Proton Mail Android",
    "Sent with Proton Mail secure email.",
    "Sent with [Proton Mail](https://proton.me/) secure email.",
    "Sent via Superhuman ( https://sprh.mn/?vip=jane@customer.example )",
    "Sent from my Android device with K-9 Mail. Please excuse my brevity.",
    "Sent from my mobile phone, please excuse typos",
    "Sent from Nine<http://www.9folders.com/>",
    "Sent from Spark",
    "Sent using Zoho Mail",
    "Sent from AOL on Android",
    "Sent from a phone",
    "Von meinem iPhone gesendet",
    "Von meinem iPad gesendet",
    "Gesendet von Outlook für Android",
    "Gesendet von Mail für Windows",
    "Gesendet mit der mobilen Mail App",
    "Diese Nachricht wurde von meinem Android-Mobiltelefon mit GMX Mail gesendet.",
    "Von meinem Samsung Gerät gesendet.",
    "Holen Sie sich Outlook für iOS",
    "Outlook für Android herunterladen",
    "Envoyé de mon iPhone",
    "Envoyé depuis mon smartphone Samsung Galaxy.",
    "Télécharger Outlook pour Android",
    "Obtenez Outlook pour iOS",
    "Envoyé à partir de Outlook pour Android",
    "Envoyé depuis l'application Mail Orange",
    "Enviado desde mi iPhone",
    "Obtener Outlook para Android",
    "Obtener Outlook para iOS",
    "Enviado desde Correo para Windows",
    "Inviato da iPhone",
    "Inviato dal mio dispositivo Galaxy",
    "Ottieni Outlook per Android",
    "Scarica Outlook per iOS",
    "Inviato da Posta per Windows",
    "Verstuurd vanaf mijn iPhone",
    "Verzonden vanaf mijn Galaxy",
    "Outlook voor Android downloaden",
    "Verkrijg Outlook voor Android",
    "Sendt fra min iPhone",
    "Sendt fra min Galaxy",
    "Sendt fra Outlook for iOS",
    "Sendt fra E-post for Windows",
    "Skaff deg Outlook for iOS",
    "Last ned Outlook for Android",
    "Hent Outlook til Android",
    "Få Outlook til iOS",
    "Sendt fra min Samsung-smarttelefon",
    "Skickat från min iPhone",
    "Skickat från min Galaxy",
    "Hämta Outlook för Android",
    "Skaffa Outlook för iOS",
    "Skickat från E-post för Windows",
    "Lähetetty iPhonesta",
    "Hanki Outlook for Android",
    "Отправлено с iPhone",
    "Отправлено из мобильной Почты Mail.ru",
    "Отправлено из Почты для Windows",
    "Отправлено с моего телефона",
    "Скачать Outlook для Android",
    "Wysłane z iPhone'a",
    "Wysłane z mojego iPhone'a",
    "Wysłano z telefonu Samsung",
    "Pobierz program Outlook dla systemu Android",
    "Uzyskaj aplikację Outlook dla systemu iOS",
    "Wysłane z aplikacji Poczta dla systemu Windows",
    "Enviado do meu iPhone",
    "Enviado a partir do meu smartphone",
    "Obter o Outlook para Android",
    "Obtenha o Outlook para iOS",
    "Odesláno z iPhonu",
    "Odesláno z mého telefonu",
    "Získat Outlook pro Android",
    "Odoslané z iPhonu",
    "iPhone'umdan gönderildi",
    "Android için Outlook'u edinin",
    "Στάλθηκε από το iPhone μου",
    "iPhoneから送信",
    "iPhoneから送信されました",
    "发自我的iPhone",
    "发自我的 iPhone",
    "從我的 iPhone 傳送",
    "나의 iPhone에서 보냄",
    "Надіслано з iPhone",
    "Trimis de pe iPhone-ul meu",
    "Poslano z mojega iPhona",
    "Poslano s mog iPhonea",
    "Küldve az iPhone-omról",
    "Saadetud minu iPhone'ist",
    "נשלח מה-iPhone שלי",
    "مرسل من الـ iPhone",
)

LETTERS = {
    "mail.app answer between": ((
        "On 26 Nov 2026, at 09:04, Helpdesk <help@desk.example> wrote:\n"
        "\n"
        "> Is it on?\n"
        "\n"
        "Yes.\n"
        "\n"
        "> Since when does it hum?\n"
        "\n"
        "Since Monday.\n"
        "\n"
        "> Regards\n"
        "> Helpdesk"
    ), (
        "> Is it on?\n"
        "\n"
        "Yes.\n"
        "\n"
        "> Since when does it hum?\n"
        "\n"
        "Since Monday."
    )),
    "greeting, then between": ((
        "Hi,\n"
        "\n"
        "see my answers.\n"
        "\n"
        "On 26/11/2026 09:04, Helpdesk wrote:\n"
        "> Is it on?\n"
        "Yes.\n"
        "> Since when?\n"
        "Since Monday.\n"
        "\n"
        "Jane"
    ), (
        "Hi,\n"
        "\n"
        "see my answers.\n"
        "\n"
        "> Is it on?\n"
        "Yes.\n"
        "> Since when?\n"
        "Since Monday.\n"
        "\n"
        "Jane"
    )),
    "signature mark then quote": ((
        "It works now.\n"
        "\n"
        "--\n"
        "Jane Roe\n"
        "Head of Human Resources\n"
        "+47 99 99 99 99\n"
        "\n"
        "On 26/11/2026 09:04, Helpdesk wrote:\n"
        "> Is it on?"
    ), "It works now."),
    "signature mark below quote": ((
        "On 26/11/2026 09:04, Helpdesk wrote:\n"
        "> Is it on?\n"
        "\n"
        "It works now.\n"
        "\n"
        "-- \n"
        "Jane Roe"
    ), "It works now."),
    "outlook with long disclaimer under quote": ((
        "It works now.\n"
        "\n"
        "Kind regards,\n"
        "Jane\n"
        "\n"
        "From: Helpdesk <help@desk.example>\n"
        "Sent: Thursday, November 26, 2026 9:04 AM\n"
        "To: Jane Roe\n"
        "Subject: RE: Printer\n"
        "\n"
        "Is it on?\n"
        "\n"
        "CONFIDENTIALITY NOTICE: This e-mail is intended only for the use of the person to whom it is addressed."
    ), (
        "It works now.\n"
        "\n"
        "Kind regards,\n"
        "Jane"
    )),
    "disclaimer without empty line": ((
        "It works now.\n"
        "Regards\n"
        "Jane\n"
        "This e-mail and any attachments are confidential and intended solely for the addressee. If you have received this message in error, please notify the sender and delete it."
    ), (
        "It works now.\n"
        "Regards\n"
        "Jane"
    )),
    "disclaimer wrapped with heading": ((
        "It works now.\n"
        "\n"
        "DISCLAIMER\n"
        "This e-mail and any attachments are confidential and intended solely for\n"
        "the addressee. If you have received this message in error, please notify the\n"
        "sender and delete it."
    ), "It works now."),
    "only a disclaimer": ("This e-mail and any attachments are confidential and intended solely for the addressee. If you have received this message in error, please notify the sender and delete it.", "This e-mail and any attachments are confidential and intended solely for the addressee. If you have received this message in error, please notify the sender and delete it."),
    "asking about confidential mail": ((
        "I got a confidential mail by mistake.\n"
        "Please delete it."
    ), (
        "I got a confidential mail by mistake.\n"
        "Please delete it."
    )),
    "caution on top": ((
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you recognize the sender and know the content is safe.\n"
        "\n"
        "My printer hums."
    ), "My printer hums."),
    "banner alone in question": ((
        "External email is not coming in since Monday.\n"
        "\n"
        "Please look."
    ), (
        "External email is not coming in since Monday.\n"
        "\n"
        "Please look."
    )),
    "forward with a question": ((
        "Can you help her?\n"
        "\n"
        "Begin forwarded message:\n"
        "\n"
        "From: Ann <ann@x.example>\n"
        "Subject: Printer\n"
        "Date: 26 November 2026 at 09:04:12 CET\n"
        "To: Jane <jane@y.example>\n"
        "\n"
        "My printer hums."
    ), "Can you help her?"),
    "forward alone apple": ((
        "Begin forwarded message:\n"
        "\n"
        "From: Ann <ann@x.example>\n"
        "Subject: Printer\n"
        "Date: 26 November 2026 at 09:04:12 CET\n"
        "To: Jane <jane@y.example>\n"
        "\n"
        "My printer hums.\n"
        "\n"
        "Ann"
    ), (
        "My printer hums.\n"
        "\n"
        "Ann"
    )),
    "forward alone quoted apple": ((
        "> Begin forwarded message:\n"
        "> \n"
        "> From: Ann <ann@x.example>\n"
        "> Subject: Printer\n"
        "> Date: 26 November 2026 at 09:04:12 CET\n"
        "> To: Jane <jane@y.example>\n"
        "> \n"
        "> My printer hums.\n"
        "> \n"
        "> Ann"
    ), (
        "> Begin forwarded message:\n"
        "> \n"
        "> From: Ann <ann@x.example>\n"
        "> Subject: Printer\n"
        "> Date: 26 November 2026 at 09:04:12 CET\n"
        "> To: Jane <jane@y.example>\n"
        "> \n"
        "> My printer hums.\n"
        "> \n"
        "> Ann"
    )),
    "forward alone outlook": ((
        "From: Ann <ann@x.example>\n"
        "Sent: Thursday, November 26, 2026 9:04 AM\n"
        "To: Jane <jane@y.example>\n"
        "Subject: Printer\n"
        "\n"
        "My printer hums.\n"
        "\n"
        "Ann"
    ), (
        "My printer hums.\n"
        "\n"
        "Ann"
    )),
    "forward alone, signature before": ((
        "Sent from my iPhone\n"
        "\n"
        "Begin forwarded message:\n"
        "\n"
        "From: Ann <ann@x.example>\n"
        "Subject: Printer\n"
        "Date: 26 November 2026 at 09:04:12 CET\n"
        "To: Jane <jane@y.example>\n"
        "\n"
        "My printer hums.\n"
        "\n"
        "Ann"
    ), (
        "My printer hums.\n"
        "\n"
        "Ann"
    )),
    "forward alone, -- signature before": ((
        "-- \n"
        "Jane Roe\n"
        "HR\n"
        "\n"
        "---------- Forwarded message ---------\n"
        "From: Ann <ann@x.example>\n"
        "Date: Thu, 26 Nov 2026 at 09:04\n"
        "Subject: Printer\n"
        "To: Jane <jane@y.example>\n"
        "\n"
        "\n"
        "My printer hums.\n"
        "\n"
        "Ann"
    ), (
        "My printer hums.\n"
        "\n"
        "Ann"
    )),
    "thunderbird forward alone": ((
        "-------- Forwarded Message --------\n"
        "Subject: \tPrinter\n"
        "Date: \tThu, 26 Nov 2026 09:04:12 +0100\n"
        "From: \tAnn <ann@x.example>\n"
        "To: \tjane@y.example\n"
        "\n"
        "\n"
        "\n"
        "My printer hums."
    ), "My printer hums."),
    "quoted log in a question": ((
        "The server says:\n"
        "\n"
        "> 550 5.1.1 user unknown\n"
        "> please retry\n"
        "\n"
        "What does that mean?"
    ), (
        "The server says:\n"
        "\n"
        "> 550 5.1.1 user unknown\n"
        "> please retry\n"
        "\n"
        "What does that mean?"
    )),
    "list with dates": ((
        "I was away:\n"
        "26.11.2026 09:04: called\n"
        "27.11.2026 10:00: called again\n"
        "Nobody answered."
    ), (
        "I was away:\n"
        "26.11.2026 09:04: called\n"
        "27.11.2026 10:00: called again\n"
        "Nobody answered."
    )),
    "log": ((
        "2026-11-26 09:04:12 ERROR from app@host.example:\n"
        "  cannot open\n"
        "What now?"
    ), (
        "2026-11-26 09:04:12 ERROR from app@host.example:\n"
        "  cannot open\n"
        "What now?"
    )),
    "meeting": ((
        "We meet on 26 November 2026 at 09:04 with the following agenda:\n"
        "\n"
        "1. printers\n"
        "2. screens"
    ), (
        "We meet on 26 November 2026 at 09:04 with the following agenda:\n"
        "\n"
        "1. printers\n"
        "2. screens"
    )),
    "i wrote": ((
        "I wrote to you on 26 November 2026 at 09:04:\n"
        "no answer came."
    ), (
        "I wrote to you on 26 November 2026 at 09:04:\n"
        "no answer came."
    )),
    "ich schrieb": ((
        "Am 26.11.2026 um 09:04 schrieb ich Ihnen:\n"
        "keine Antwort."
    ), (
        "Am 26.11.2026 um 09:04 schrieb ich Ihnen:\n"
        "keine Antwort."
    )),
    "order form": ((
        "From: Warehouse A\n"
        "To: Warehouse B\n"
        "Date: 26.11.2026\n"
        "Items: 3\n"
        "\n"
        "Please move it."
    ), (
        "From: Warehouse A\n"
        "To: Warehouse B\n"
        "Date: 26.11.2026\n"
        "Items: 3\n"
        "\n"
        "Please move it."
    )),
    "web form": ((
        "Name: Jane Roe\n"
        "E-mail: jane@y.example\n"
        "Subject: Printer\n"
        "Message: it hums"
    ), (
        "Name: Jane Roe\n"
        "E-mail: jane@y.example\n"
        "Subject: Printer\n"
        "Message: it hums"
    )),
    "diff": ((
        "Here is the patch:\n"
        "\n"
        "--- a/file\n"
        "+++ b/file\n"
        "@@ -1 +1 @@\n"
        "-old\n"
        "+new\n"
        "\n"
        "Please apply."
    ), (
        "Here is the patch:\n"
        "\n"
        "--- a/file\n"
        "+++ b/file\n"
        "@@ -1 +1 @@\n"
        "-old\n"
        "+new\n"
        "\n"
        "Please apply."
    )),
    "markdown rule": ((
        "First part.\n"
        "\n"
        "---\n"
        "\n"
        "Second part that is long enough to be no signature at all, because it goes on and on and on for a while."
    ), (
        "First part.\n"
        "\n"
        "---\n"
        "\n"
        "Second part that is long enough to be no signature at all, because it goes on and on and on for a while."
    )),
    "chevrons in prose": ((
        "Go to File > Options > Mail.\n"
        "> is the sign for greater.\n"
        "Thanks"
    ), (
        "Go to File > Options > Mail.\n"
        "> is the sign for greater.\n"
        "Thanks"
    )),
    "html-ish": ((
        "<b>bold</b> and a > b\n"
        "\n"
        "thanks"
    ), (
        "<b>bold</b> and a > b\n"
        "\n"
        "thanks"
    )),
    "shell": ((
        "I ran:\n"
        "$ ls > out\n"
        "> cat\n"
        "and it failed"
    ), (
        "I ran:\n"
        "$ ls > out\n"
        "> cat\n"
        "and it failed"
    )),
    "two levels top": ((
        "Third.\n"
        "\n"
        "On 26/11/2026 10:04, Helpdesk wrote:\n"
        "> Second.\n"
        ">\n"
        "> On 26/11/2026 09:04, Jane wrote:\n"
        ">> First."
    ), "Third."),
    "outlook thread": ((
        "Third.\n"
        "\n"
        "From: Helpdesk\n"
        "Sent: Thursday, November 26, 2026 10:04 AM\n"
        "To: Jane\n"
        "Subject: RE: Printer\n"
        "\n"
        "Second.\n"
        "\n"
        "From: Jane\n"
        "Sent: Thursday, November 26, 2026 9:04 AM\n"
        "To: Helpdesk\n"
        "Subject: Printer\n"
        "\n"
        "First."
    ), "Third."),
    "answer under outlook header block only quotes": ((
        "Third.\n"
        "\n"
        "-----Original Message-----\n"
        "From: Helpdesk\n"
        "Sent: Thursday, November 26, 2026 10:04 AM\n"
        "To: Jane\n"
        "Subject: RE: Printer\n"
        "\n"
        "> Second."
    ), "Third."),
    "outlook wrapped header values": ((
        "Third.\n"
        "\n"
        "From: Helpdesk of the Faculty of Law and everything else <help@desk.example>\n"
        "Sent: Thursday, November 26, 2026 10:04 AM\n"
        "To: Jane Roe <jane@y.example>; Per Hansen <per@y.example>; Kari Nordmann\n"
        "<kari@y.example>\n"
        "Cc: somebody\n"
        "Subject: RE: [Ticket#2026112610000123] A long subject that some program\n"
        "has wrapped\n"
        "\n"
        "Second."
    ), "Third."),
    "quote marks with other sign": ((
        "Third.\n"
        "\n"
        "On 26/11/2026 10:04, Helpdesk wrote:\n"
        "| Second.\n"
        "| More."
    ), "Third."),
    "initials": ((
        "JR> Is it on?\n"
        "Yes.\n"
        "JR> Since when?\n"
        "Monday."
    ), (
        "JR> Is it on?\n"
        "Yes.\n"
        "JR> Since when?\n"
        "Monday."
    )),
    "bottom post with signature and footer": ((
        "On 26/11/2026 10:04, Helpdesk wrote:\n"
        "> Is it on?\n"
        "\n"
        "Yes, it is.\n"
        "\n"
        "-- \n"
        "Jane\n"
        "\n"
        "Sent from my iPhone"
    ), "Yes, it is."),
    "tickets footer reply above": ((
        "It works.\n"
        "\n"
        "##- Please type your reply above this line -##\n"
        "\n"
        "Your ticket has been updated.\n"
        "\n"
        "Helpdesk"
    ), "It works."),
    "reply above this line nb": ((
        "Det virker.\n"
        "\n"
        "--- Svar over denne linjen ---\n"
        "\n"
        "Saken er oppdatert."
    ), "Det virker."),
    "mailing list footer": ((
        "It works.\n"
        "\n"
        "_______________________________________________\n"
        "Users mailing list\n"
        "Users@lists.example\n"
        "https://lists.example/mailman/listinfo/users"
    ), "It works."),
    "google groups footer": ((
        "It works.\n"
        "\n"
        "-- \n"
        'You received this message because you are subscribed to the Google Groups "x" group.\n'
        "To unsubscribe from this group, send mail."
    ), "It works."),
    "sig with star line": ((
        "It works.\n"
        "\n"
        "**********************\n"
        "Jane Roe\n"
        "Acme AS\n"
        "**********************"
    ), "It works."),
    "nbsp and zero width": ((
        "It works.\u200b\n"
        "\n"
        "\u200eOn 26 Nov 2026, at 09:04, Helpdesk <help@desk.example>\xa0wrote:\n"
        "\u200e\n"
        "> \ufeffIs it on?"
    ), "It works.\u200b"),
    "crlf": ((
        "It works.\r\n"
        "\r\n"
        "On 26/11/2026 10:04, Helpdesk wrote:\r\n"
        "> x\r"
    ), "It works."),
    "attribution with a name with comma": ((
        "It works.\n"
        "\n"
        "On Thu, 26 Nov 2026 at 09:04, Roe, Jane (HR) <jane.roe@y.example> wrote:\n"
        "> x"
    ), "It works."),
    "attribution with via": ((
        "It works.\n"
        "\n"
        "On Thu, 26 Nov 2026 at 09:04, 'Helpdesk' via Support <support@desk.example> wrote:\n"
        "> x"
    ), "It works."),
    "attribution mailto": ((
        "It works.\n"
        "\n"
        "On Nov 26, 2026, at 9:04 AM, Helpdesk <help@desk.example<mailto:help@desk.example>> wrote:\n"
        "\n"
        "x"
    ), "It works."),
    "attribution bracketed link": ((
        "It works.\n"
        "\n"
        "On Nov 26, 2026, at 9:04 AM, Helpdesk [help@desk.example](mailto:help@desk.example) wrote:\n"
        "> x"
    ), "It works."),
    "attribution three lines": ((
        "It works.\n"
        "\n"
        "On Thursday, November 26, 2026 at 9:04:12 AM UTC+1\n"
        "Helpdesk of the faculty of law and everything\n"
        "<help@desk.example> wrote:\n"
        "\n"
        "> x"
    ), "It works."),
    "no blank before attr": ((
        "It works.\n"
        "On Thu, 26 Nov 2026, 09:04 Helpdesk, <help@desk.example> wrote:\n"
        "> x"
    ), "It works."),
    "nb ol with ext id": ((
        "Det virker nå.\n"
        "\n"
        "Mvh\n"
        "Kari\n"
        "\n"
        "________________________________________\n"
        "Fra: Helpdesk <help@desk.example>\n"
        "Sendt: torsdag 26. november 2026 09:04:12\n"
        "Til: Kari Nordmann\n"
        "Emne: [Ticket#2026112610000123] Skriver\n"
        "\n"
        "Hei"
    ), (
        "Det virker nå.\n"
        "\n"
        "Mvh\n"
        "Kari"
    )),
    "gmail nb wrapped": ((
        "Det virker.\n"
        "\n"
        "tor. 26. nov. 2026 kl. 09:04 skrev Brukerstøtte ved Det juridiske fakultet <\n"
        "brukerstotte@universitetet.example>:\n"
        "\n"
        "> Hei"
    ), "Det virker."),
    "quoted-only lines then thanks": ((
        "> Is it on?\n"
        "\n"
        "Yes!"
    ), (
        "> Is it on?\n"
        "\n"
        "Yes!"
    )),
    "answers inside an unmarked quote": ((
        "See my answers below.\n"
        "\n"
        "From: Helpdesk\n"
        "Sent: Thursday, November 26, 2026 10:04 AM\n"
        "To: Jane\n"
        "Subject: RE: Printer\n"
        "\n"
        "Is it on?\n"
        "[Jane] Yes."
    ), (
        "See my answers below.\n"
        "\n"
        "From: Helpdesk\n"
        "Sent: Thursday, November 26, 2026 10:04 AM\n"
        "To: Jane\n"
        "Subject: RE: Printer\n"
        "\n"
        "Is it on?\n"
        "[Jane] Yes."
    )),
}
"""A letter, and what its writer added."""

RICH_REPLIES = {
    "gmail": '<div dir="ltr"><div>It works now.</div><div><br></div><div>Thanks</div></div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Thu, Nov 26, 2026 at 9:04 AM Helpdesk &lt;<a href="mailto:help@desk.example">help@desk.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex"><div>Is it on?</div></blockquote></div>',
    "gmail with signature": '<div dir="ltr">It works now.<div><br></div><div>Thanks</div><div><br clear="all"><div><br></div><span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature"><div dir="ltr">Jane Roe<div>HR</div></div></div></div></div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Thu, Nov 26, 2026 at 9:04 AM Helpdesk &lt;<a href="mailto:help@desk.example">help@desk.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote"><div>Is it on?</div></blockquote></div>',
    "outlook desktop": '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style><!-- p.MsoNormal {margin:0cm} --></style></head><body lang="EN-GB"><div class="WordSection1"><p class="MsoNormal">It works now.<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">Thanks<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b><span lang="EN-US">From:</span></b><span lang="EN-US"> Helpdesk &lt;help@desk.example&gt; <br><b>Sent:</b> Thursday, November 26, 2026 9:04 AM<br><b>To:</b> Jane Roe &lt;jane@y.example&gt;<br><b>Subject:</b> RE: Printer<o:p></o:p></span></p></div></div><p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">Is it on?<o:p></o:p></p></div></body></html>',
    "outlook web": '<div style="font-family: Calibri">It works now.</div><div><br></div><div>Thanks</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri, sans-serif"><b>Fra:</b> Helpdesk &lt;help@desk.example&gt;<br><b>Sendt:</b> torsdag 26. november 2026 09:04<br><b>Til:</b> Jane<br><b>Emne:</b> SV: Skriver</font><div>&nbsp;</div></div><div>Er den på?</div>',
    "outlook ios": '<div dir="ltr">It works now.</div><div dir="ltr"><br></div><div>Thanks</div><div id="ms-outlook-mobile-signature"><div><br></div>Get <a href="https://aka.ms/o0ukef">Outlook for iOS</a></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> Helpdesk &lt;help@desk.example&gt;<br><b>Sent:</b> Thursday, November 26, 2026 9:04:12 AM<br><b>To:</b> Jane<br><b>Subject:</b> Re: Printer<div>&nbsp;</div></div><div>Is it on?</div>',
    "apple mail": '<html><body style="word-wrap: break-word;">It works now.<div><br></div><div>Thanks<br id="lineBreakAtBeginningOfMessage"><div><br><blockquote type="cite"><div>On 26 Nov 2026, at 09:04, Helpdesk &lt;help@desk.example&gt; wrote:</div><br class="Apple-interchange-newline"><div>Is it on?</div></blockquote></div><br></div></body></html>',
    "iphone": '<html><body dir="auto">It works now.<div><br></div><div>Thanks<br><br><div dir="ltr">Sendt fra min iPhone</div><div dir="ltr"><br><blockquote type="cite">26. nov. 2026 kl. 09:04 skrev Helpdesk &lt;help@desk.example&gt;:<br><br></blockquote></div><blockquote type="cite"><div dir="ltr">\ufeff<div>Er den på?</div></div></blockquote></div></body></html>',
    "thunderbird": '<p>It works now.</p><p>Thanks</p><div class="moz-cite-prefix">Den 26.11.2026 09:04, skrev Helpdesk:<br></div><blockquote type="cite" cite="mid:1@x"><p>Er den på?</p></blockquote>',
    "yahoo": '<div class="ydp1" style="font-family:Helvetica"><div>It works now.</div><div><br></div><div>Thanks</div><div><br></div></div><div id="yahoo_quoted_123" class="yahoo_quoted"><div style="font-family:Helvetica"><div>On Thursday, November 26, 2026 at 09:04:12 AM GMT+1, Helpdesk &lt;help@desk.example&gt; wrote: </div><div><br></div><div><br></div><div>Is it on?</div></div></div>',
    "proton": '<div style="font-family: Arial">It works now.</div><div><br></div><div>Thanks</div><div class="protonmail_signature_block"><div class="protonmail_signature_block-proton">Sent with <a href="https://proton.me/">Proton Mail</a> secure email.</div></div><div><br></div><div class="protonmail_quote">On Thursday, November 26th, 2026 at 09:04, Helpdesk &lt;help@desk.example&gt; wrote:<br><blockquote class="protonmail_quote" type="cite"><div>Is it on?</div></blockquote><br></div>',
    "gmx": '<html><body><div><div>It works now.</div><div>&nbsp;</div><div>Thanks</div><div>&nbsp;<div style="margin: 10px 5px 5px 10px; border-left:2px solid #C3D9E5;" name="quote"><div style="margin:0 0 10px 0;"><b>Gesendet:</b>&nbsp;Donnerstag, 26. November 2026 um 09:04 Uhr<br/><b>Von:</b>&nbsp;"Helpdesk" &lt;help@desk.example&gt;<br/><b>An:</b>&nbsp;jane@y.example<br/><b>Betreff:</b>&nbsp;Re: Drucker</div><div name="quoted-content">Ist er an?</div></div></div></div></body></html>',
    "lotus": '<font size=2 face="sans-serif">It works now.</font><br><br><font size=2 face="sans-serif">Thanks</font><br><br><br><br><font size=1 color=#5f5f5f face="sans-serif">From: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1 face="sans-serif">Helpdesk &lt;help@desk.example&gt;</font><br><font size=1 color=#5f5f5f>To: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1>Jane Roe/HR/Acme@ACME</font><br><font size=1>Date: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1>26/11/2026 09:04</font><br><font size=1>Subject: &nbsp; &nbsp; &nbsp; &nbsp;</font><font size=1>Re: Printer</font><br><hr noshade><br><br><br><tt><font size=2>Is it on?</font></tt>',
    "samsung": '<html><body dir="auto"><div dir="auto">It works now.</div><div dir="auto"><br></div><div dir="auto">Thanks</div><div dir="auto"><br></div><div id="composer_signature" dir="auto"><div style="font-size:12px;color:#575757">Sent from my Galaxy</div></div><div dir="auto"><br></div><div><br></div><div align="left" style="font-size:100%;color:#000000"><div>-------- Original message --------</div><div>From: Helpdesk &lt;help@desk.example&gt; </div><div>Date: 26/11/2026  09:04  (GMT+01:00) </div><div>To: jane@y.example </div><div>Subject: Re: Printer </div><div><br></div></div>Is it on?</body></html>',
    "zimbra": '<html><body><div>It works now.</div><div><br></div><div>Thanks</div><div><br></div><hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>De: </b>"Helpdesk" &lt;help@desk.example&gt;<br><b>À: </b>"Jane" &lt;jane@y.example&gt;<br><b>Envoyé: </b>Jeudi 26 Novembre 2026 09:04:12<br><b>Objet: </b>Re: Imprimante<br></div><div><br></div><div data-marker="__QUOTED_TEXT__">Est-elle allumée ?</div></body></html>',
    "mail.ru": '<HTML><BODY><div>It works now.</div><div>&nbsp;</div><div>Thanks</div><blockquote style="border-left:1px solid #0857A6;margin:10px;padding:0 0 0 10px;">Четверг, 26 ноября 2026, 9:04 +03:00 от Helpdesk &lt;help@desk.example&gt;:<br>&nbsp;<div id=""><div class="js-helper">Он включён?</div></div></blockquote></BODY></HTML>',
    "yandex": '<div>It works now.</div><div> </div><div>Thanks</div><div>26.11.2026, 09:04, "Helpdesk" &lt;help@desk.example&gt;:</div><blockquote><p>Он включён?</p></blockquote>',
    "superhuman": '<html><body><div>It works now.<div><br></div><div>Thanks</div><br><div class="gmail_signature"><div>Sent via <a href="https://sprh.mn/?vip=j@y.example">Superhuman</a></div></div><br><br><div class="gmail_quote">On Thu, Nov 26, 2026 at 9:04 AM, Helpdesk <span dir="ltr">&lt;<a href="mailto:help@desk.example">help@desk.example</a>&gt;</span> wrote:<br><blockquote class="gmail_quote"><div>Is it on?</div></blockquote></div></div></body></html>',
}
"""Rich text alone, whose new words are "It works now." and "Thanks"."""
# fmt: on
