"""Recognises subjects of absence notices, in the languages of mail programs.

People write about absences too, so a subject counts only if the mail has another mark of an automatic mail
(`automatic.py`).
"""

import re

_PHRASES = (
    r"out of (?:the |my )?office|currently out\b|i['’]?m away|no longer (?:works?|working|employed|with)(?: (?:here|us|th(?:e|is) company))?|\booo\b|(?:automatic|automated|auto(?:mat)?)[ -]?(?:repl(?:y|ied)|respon(?:se|der)|answer)|away from (?:the |my )?(?:office|desk)",
    r"(?:on|currently on) (?:vacation|holidays?|annual leave|(?:maternity|parental|sick) leave|leave)|(?:vacation|holiday|absence) (?:repl(?:y|ies)|response|message|notice|notification)",
    r"autosvar|automatsvar|automatiske?t? (?:svar|svarmelding|besvarelse)|fraværs?(?:melding|besked|assistent|svar)|frånvaro(?:meddelande|assistent|besked)",
    r"har (?:sluttet|slutat)\b|arbeitet nicht mehr|ne travaille plus|(?:ikke|inte) (?:til ?stede|på kontoret)|ude af kontoret|ute av kontoret|utenfor kontoret|feriesvar|på (?:ferie|semester)",
    r"abwesenheits?(?:notiz|meldung|nachricht|assistent|info)|automatische (?:antwort|rückmeldung)|auto(?:matische )?antwort|nicht (?:im büro|im haus|am platz)|au(?:ß|ss)er haus"
    r"|(?:bin |ist |derzeit )?im urlaub|urlaubs(?:meldung|notiz|nachricht)",
    r"automatisch antwoord|afwezigheids(?:bericht|melding|assistent)|niet (?:aanwezig|op kantoor)|buiten kantoor|(?:met|op) vakantie",
    r"réponse automatique|(?:absente?|absence) du bureau|(?:message|avis|notification) d['’]absence|hors du bureau|en congés?\b",
    r"respuesta automática|resposta autom[àá]tica|(?:fuera|ausente|ausencia) de (?:la )?oficina|de vacaciones|(?:fora|ausente|ausência) do escritório|de férias|aviso de ausência",
    r"risposta automatica|fuori (?:sede|ufficio)|(?:assenza|assente) dall['’]ufficio|in ferie|răspuns automat|în afara biroului",
    r"automaattinen vastaus|poissa toimistosta|poissaoloilmoitus|\blomalla|automaatvastus|kontorist väljas",
    r"automatyczna odpowiedź|odpowiedź automatyczna|autoodpowiedź|poza biurem|nieobecność w biurze|na urlopie|automatická odpov[eě]ď|mimo kancelář|na dovolen[eé]",
    r"automatikus válasz|házon kívül|szabadságon|samodejni odgovor|automatski odgovor|izvan ureda|automatinis atsakymas|automātiskā atbilde",
    r"автоответ|автоматический ответ|вне офиса|в отпуске|автоматичн(?:а|ен) (?:відповідь|отговор)|автовідповідь|поза офісом|у відпустці|извън офиса",
    r"otomatik (?:yanıt|cevap)|ofis dışında|izindeyim|αυτόματη απάντηση|εκτός γραφείου|מענה אוטומטי|תשובה אוטומטית|מחוץ למשרד|رد تلقائي|خارج المكتب",
    r"自动(?:回复|答复)|自動(?:回覆|回復|答覆|返信|応答)|不在(?:办公室|辦公室|通知|のお知らせ|にして|です)|休[假暇]|자동 ?(?:회신|응답|답장)|부재 ?중|trả lời tự động|balasan otomatis|ตอบกลับอัตโนมัติ",
)
_WORDS = (
    r"absen(?:t|te|ce)|(?:foreldre|fødsels)?permisjon|sykmeldt|föräldraledig|tjänstledig|sjukskriven|elternzeit|mutterschutz|krankmeldung|congé (?:de )?(?:maternité|paternité|parental)|abwesen(?:d|heit)|vacation|holidays?|urlaub|away|fravær(?:ende)?|frånvaro|frånvarande|ferie|semester|afwezig|vakantie|ausente|ausencia|ausência"
    r"|assente|assenza|poissa|nieobecn\w{1,4}|nepřítom\w{1,5}|távollét|отсутству\w{1,4}|отпуск|відпустка|izinli|απουσία"
)
_ANSWERS_TO = r"(?:(?:re|aw|sv|vs|fw|fwd|wg|antw|rif|res|odp|ynt|vá|ha|auto|notice|info|automatic)\s*:\s*|[\[({<*\"'«“„【–—-]\s*)*"
_ENDS = r"(?=\s*(?:\Z|[\])}>*\"'»”“】.:,;!|/(\[–—-]|\d|(?:until|till|til|bis|vom|von|from|fra|från|t\.?o\.?m|jusqu|du|au|hasta|hasta|desde|até|de|fino|dal|tot|van|do|od|until|a partir|с|до|по|re|aw|sv)\b))"
"""What may follow a phrase that does not begin the subject, so that it is not the middle of a sentence."""

_BEGINS = re.compile(rf"\s*{_ANSWERS_TO}(?:{'|'.join(_PHRASES)}|(?:{_WORDS}){_ENDS})", re.IGNORECASE)
_INSIDE = re.compile(
    rf"(?<!\w)(?:{'|'.join(_PHRASES)}){_ENDS}|(?:[\[(【:/|–—-]\s*|\b(?:is|ist|er|är|est|está|è|on|jest|je|is currently|ist derzeit)\s)(?:{_WORDS}){_ENDS}",
    re.IGNORECASE,
)


def begins_as_absence(subject: str) -> bool:
    """Whether a subject begins as that of an absence notice, after prefixes of replies and brackets."""
    return _BEGINS.match(subject) is not None


def tells_absence(subject: str) -> bool:
    """Whether a subject tells of an absence anywhere, for example after a name ("Kim Berg is out of the office (until
    Monday)")."""
    return begins_as_absence(subject) or _INSIDE.search(subject) is not None
