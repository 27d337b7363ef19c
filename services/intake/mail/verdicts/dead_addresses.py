"""Tells from a server's words whether an address is dead, or only this mail was not delivered.

An address is dead if its user or host is unknown, if it has moved, or if it takes no mail at all: writing to it again
is useless.
"""

import re

_FULL = re.compile(
    r"quota|(?:mail|in|message )?box[^.]{0,40}\b(?:full|exceed)|exceeded? .{0,30}storage|storage (?:limit|allocation|space)|insufficient"
    r"|(?:disk|mailbox|account|user) (?:space|size|is) (?:full|exceed|over)|mailbox size|is full\b|file too big|out of (?:disk )?space"
    r"|too many messages in (?:the )?mailbox|no space left|out of storage|容量|переполнен|превыш|plein|\bvoll\b|\b(?:er|är|on) (?:full|fuld|täynnä)|täynnä|llen[oa]\b|chei[oa]\b"
    r"|\bpien[oa]\b|pełn|przepełn|je pln|megtelt|\bdolu\b|いっぱい|超過|已满|已滿|超出|가득|초과"
)
_SPAM_OR_POLICY = re.compile(
    r"\bspam|unsolicited|black ?list|block ?list|dnsbl|\brbl\b|spamhaus|reputation|virus|malware|infected|\bspf\b|\bdkim|dmarc"
    r"|relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed))|relaying|not permitted to relay|reverse dns|\bptr\b|\brdns\b"
    r"|too (?:big|large)|size (?:exceed|limit)|exceeds? .{0,30}(?:size|limit)|rate limit|too many (?:connections|recipients|messages)"
    r"|mail loop|loops? back|hop count|too many hops|client host rejected|authentication (?:required|failed)"
)
_BOX = r"(?:mail[ -]?box|inbox)"
_UNKNOWN = re.compile(
    rf"(?:user|users|recipient|{_BOX}|address|account|addressee|login|name|person|alias|user ?id)s?(?: name)?\W{{1,3}}(?:is |was |are |were )?"
    r"(?:unknown|not (?:a )?(?:found|known|recognized|recognised|exist|listed|present|registered|local\b|ok\b|accepted)|invalid|wrong|illegal|deactivated|nonexist"
    r"|missing home|not valid|can(?:not|'t) be found|do(?:es|s) ?n[o']t exist|no longer)"
    rf"|(?:unknown|invalid|illegal|bad|incorrect|wrong|nonexistent|non-existent|no such|undefined|unlisted|undeliverable|unroutable|deactivated|archived|rejecte?d?:? invalid)"
    r"(?: or (?:illegal|invalid|non-existent|unknown))?(?: (?:final|local|virtual|delivery|destination|e-?mail|envelope|internal))*"
    rf"[ _-](?:user|userid|user ?name|rcpt|recipient|{_BOX}|address|account|alias|person|addressee|local[- ]?part|destination (?:{_BOX} )?address)"
    rf"|(?:no|not an?) (?:such )?(?:\w+ )?(?:user|{_BOX}|recipient|account|person|customer|(?:valid|active|known|local|registered) (?:user|{_BOX}|recipient|account|address))\b"
    r"(?! (?:name )?(?:quota|full|space))"
    rf"|{_BOX} name not allowed|no ?(?:one|body) (?:here|at|by|with)|(?:user|recipient|address|account)s? (?:is |are )?not (?:on|at|in) th"
    r"|do(?:es|s) ?n[o']t (?:exist|have an? .{0,60}account|have a .{0,60}mailbox)|(?<!may )not exist\b|isn't (?:a )?(?:valid|known)"
    r"|no longer (?:valid|exists?|available|with|works|in use|employed|here|accepts? (?:e-?)?mail|an? (?:employee|customer|member|user))"
    r"|not (?:listed|found) in (?:the )?(?:public|domino|name|address|recipient|directory)|recipnotfound|recipient ?not ?found|not our customer|not a subscriber"
    r"|badrcptto|bad(?:_|-)?recipient|not in my validrcptto|unrouteable address|unknown to (?:this|the) (?:host|system)|(?:could not|couldn't|wasn't|cannot|can't) (?:be )?found"
    rf"|(?:can(?:not|'t)|could(?: not|n't)|unable to) (?:find|locate) (?:the |a |this |that )?(?:user|recipient|{_BOX}|account)\b"
    r"|recipient address rejected(?:: access denied|\.?\s*\Z)|(?:destination|recipient) addresses? (?:was|were|is|are) unknown"
    rf"|(?:account|user|{_BOX}|address|recipient) (?:(?:has been|have been|is|was) )?(?:permanently )?(?:deleted|removed|closed|terminated|cancell?ed|expired|deactivated)"
    r"|user has left|left (?:the|our) (?:company|organi[sz]ation)"
)
_UNAVAILABLE = re.compile(rf"(?:{_BOX}|recipient|user|account|address) (?:is )?(?:unavailable|not available)")
_UNKNOWN_ELSEWHERE = re.compile(
    "|".join(
        rf"(?:{what}).{{0,40}}(?:{is_what})|(?:{is_what}) ?(?:{what})"
        for what, is_what in (
            (
                "empfänger|benutzer|postfach|adresse|konto|mailadresse",
                "unbekannt\\w*|existiert nicht|gibt es nicht|nicht (?:gefunden|ermittelt)|nicht vorhanden|ungültig",
            ),
            (
                "adresse|destinataire|utilisateur|boîte|compte",
                "inconnue?|n'existe pas|introuvable|inexistante?|invalide",
            ),
            (
                "usuario|dirección|destinatario|buzón|cuenta|persona",
                "desconocid[oa]|no existe|no encontrad[oa]|no válid[oa]|inválid[oa]|inexistente",
            ),
            (
                "usu[aá]rio|endereço|destinatário|caixa postal|conta",
                "desconhecid[oa]|não existe|não encontrad[oa]|inválid[oa]|inexistente",
            ),
            (
                "utente|indirizzo|destinatario|casella|account",
                "sconosciut[oa]|non esiste|inesistente|non valid[oa]|non trovat[oa]",
            ),
            (
                "gebruiker|(?:e-?mail)?adres|ontvanger|postbus|mailbox|account",
                "onbekende?|bestaat niet|niet gevonden|ongeldige?",
            ),
            (
                "bruker\\w*|adressen?|mottaker\\w*|postkass\\w*|konto\\w*|bruger\\w*|modtager\\w*|användar\\w*|mottagar\\w*|brevlåda\\w*|(?:e-?)?post\\w*|mailadresse\\w*",
                "ukjent|ukendt|okänd|finnes ikke|eksisterer ikke|findes ikke|finns inte|existerar inte|ugyldig|ogiltig|ikke funnet|ikke fundet|hittades inte|kunne ikke findes|finner ikke|fant ikke|fandt ikke|inte att hitta|hittar inte",
            ),
            (
                "käyttäj\\w*|vastaanottaj\\w*|osoite\\w*|osoitetta|postilaatikko\\w*",
                "tuntematon|ei ole olemassa|ei löy\\w*|virheellinen",
            ),
            (
                "użytkownik\\w*|adres\\w*|odbiorc\\w*|skrzynk\\w*|konto",
                "nieznan\\w*|nie istnieje|nie znaleziono|nieprawidłow\\w*",
            ),
            ("uživatel\\w*|adres\\w*|příjemc\\w*|schránk\\w*", "neznám\\w*|neexistuje|nenalezen\\w*|neplatn\\w*"),
            ("felhasználó|címzett|cím|postafiók", "ismeretlen|nem létezik|nem található|érvénytelen"),
            (
                "utilizator\\w*|adres[aă]|destinatar\\w*|căsuț\\w*",
                "necunoscut\\w*|nu există|inexistent\\w*|invalid\\w*",
            ),
            ("χρήστης|διεύθυνση|παραλήπτης", "άγνωστ\\w*|δεν υπάρχει|δεν βρέθηκε"),
            (
                "пользовател\\w*|адрес\\w*|получател\\w*|ящик\\w*|аккаунт\\w*|учетн\\w*",
                "не существует|не найден\\w*|неизвест\\w*|удал[её]н\\w*|не зарегистрирован\\w*|нет такого",
            ),
            ("користувач\\w*|адрес\\w*|отримувач\\w*|скриньк\\w*", "не існує|не знайдено|невідом\\w*"),
            ("kullanıcı\\w*|adres\\w*|alıcı\\w*|posta kutusu", "bulunamadı|bilinmiyor|mevcut değil|geçersiz"),
            ("宛先|ユーザ|アドレス|メールボックス|受信者|アカウント", "存在し|見つかり|不明|ありません|無効"),
            (
                "用户|用戶|收件人|地址|邮箱|郵箱|信箱|帐号|帳號|账户",
                "不存在|未找到|找不到|无效|無效|已注销|已停用|已删除",
            ),
            ("사용자|수신자|주소|메일함|계정", "존재하지|찾을 수 없|알 수 없|없습니다|없는"),
        )
    )
    + r"|не существует|не найден|неизвестн|見つかりません|存在しません|不存在|gibt es nicht|n'existe pas|no existe|não existe|non esiste|bestaat niet"
)
"""The same in other languages: words for the address, and words for "does not exist"."""
_HOST = re.compile(
    r"(?:host|domain|name|domain name|destination)(?: name)?\W{1,3}(?:is |was )?(?:unknown|not found|invalid|does ?n[o']t exist)"
    r"|(?:unknown|no such|invalid|illegal|bad) (?:destination )?(?:mail )?(?:host|domain|system|server)|nxdomain|non-existent (?:host|domain)"
    r"|unrouteable (?:mail )?domain|all relevant mx records point to non-existent|find any host (?:named|by that name)|host or domain name not found"
    r"|name (?:service error|or service not known)|domain .{0,80}(?:does ?n[o']t exist|could ?n[o']t be found|not found|is not set up)"
    r"|cannot (?:find|resolve) .{0,40}(?:host|domain|mx|exchanger|address)|no (?:mx|a) records?|couldn't find any|(?:domain|host|address) does ?n[o']t resolve"
)
_MOVED = re.compile(
    r"(?:user|recipient|account|mailbox|address|has|have)\b.{0,60}\b(?:has |have )?(?:moved|relocated|changed (?:address|e-?mail))|new address is"
)
_TAKES_NONE = re.compile(
    r"does ?n[o']t accept (?:any )?(?:e-?)?mail|null ?mx|no (?:smtp|mail) service|not accept(?:ing)? (?:any )?(?:e-?)?mail (?:from any|for (?:this )?domain)"
    r"|domain .{0,40}does ?n[o']t (?:accept|receive)|mail receiving disabled|name server .{0,20}(?:no|did not return) mx|smtp protocol returned a permanent error"
)
_NOT_NOW = re.compile(
    r"timed? ?out|connection (?:refused|reset|dropped|lost|closed)|could not connect|unable to connect|wasn't able to establish|no route to host"
    r"|unreachable|try again|retry|deferred|delayed|too old|in the queue too long|queued too long|expired|retries? (?:timeout|exceeded)|for \d+ (?:hours|days)"
    r"|temporar(?:y|ily)|suspend|disabled|inactive|deactivated|not active|access denied|policy|denied by|blocked|rejected by|refused"
    r"|permission|authori[sz]ed|prohibited|restrict|sender (?:address|domain|verify)|bad sender|content"
)  # fmt: skip

_OF_THE_SENDER = re.compile(
    r"domain of sender|sender(?:'s)? (?:e-?mail )?(?:address|domain|verify|rejected)|sending domain|(?:bad|unknown|invalid) sender|from address|\b(?:helo|ehlo)\b"
)
_TRY_AGAIN = re.compile(r"try again(?! later to)|temporar(?:y|ily)|will be retried")
_DEAD = ("5.1.1", "5.1.2", "5.1.6", "5.1.10")
_PERHAPS_DEAD = ("5.1.0", "5.1.3", "5.4.4")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_REPLY = re.compile(r"(?:^|[\s#(:;])([245]\d\d)(?=[\s-])")


def status_of(words: str) -> str:
    """The enhanced status code (RFC 3463) in a server's words, or empty."""
    found = _STATUS.search(words)
    return found.group() if found else ""


def is_dead(words: str, status: str, action: str = "failed", *, after_data: bool = False) -> bool:
    """Whether a server's words and status code say that the address itself is dead.

    `after_data`: they are about the whole mail, after the address was accepted, as those of filters are.
    """
    if action in ("delayed", "delivered", "relayed", "expanded"):
        return False
    said = re.sub(r"\s+", " ", words[:4_000]).lower()
    if status in ("5.2.2", "4.2.2", "5.1.7", "5.1.8"):
        return False
    if any(pattern.search(said) for pattern in (_FULL, _SPAM_OR_POLICY, _OF_THE_SENDER, _TRY_AGAIN)):
        return False
    if status in _DEAD:
        return True
    if any(pattern.search(said) for pattern in (_UNKNOWN, _UNKNOWN_ELSEWHERE, _HOST, _MOVED, _TAKES_NONE)):
        return not after_data
    if _UNAVAILABLE.search(said) and not status.startswith("4"):
        # RFC 5321 (4.2.2) uses this word for 450, which is temporary, and for 550, which is permanent.
        return not after_data and not any(each.startswith("4") for each in _REPLY.findall(said))
    return status in _PERHAPS_DEAD and not _NOT_NOW.search(said)
