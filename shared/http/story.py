"""One story for all examples in the OpenAPI document, so that they fit together.

Kari Nordmann of the company Acme asks why her computer hums. Eva of the IT support answers.
"""

TICKET = "01936f2e-4a10-7c55-9a3e-5d1f8c2b7e01"
NUMBER = "2026112910000015"
TITLE = "My computer hums"
OTHER_TICKET = "01936f31-08b2-7d4a-8e57-2c9a4f6d1b02"
OTHER_NUMBER = "2026112910000023"
OTHER_TITLE = "The printer hums too"
ARTICLE = "01936f2e-4a11-7b02-b6d4-91c0e7f3a503"
ANSWER = "01936f35-7d20-7a18-a2c9-6e4b0d8f1c04"
EVENT = "01936f2e-4a12-7e61-8f0b-3a7d5c9e2105"
CAUSE = "01936f2e-4a13-7f33-9c1d-4b8e6dae3206"
BLOB = "01936f2d-9c04-7a90-b5e2-7f1c3d5b8a07"
MAIL = "01936f2e-49f0-7c28-8d6a-0e2f4b6c9d08"
QUEUE = {"id": "01936e00-1b2c-7d3e-8f40-5a6b7c8d9e09", "slug": "it-support", "name": "IT support"}
AGENT = {"id": "01936e00-2c3d-7e4f-9051-6b7c8d9eaf0a", "name": "Eva Agent"}
CUSTOMER = {"id": "01936e00-3d4e-7f50-a162-7c8d9eafb00b", "name": "Kari Nordmann", "email": "kari@acme.example"}
COMPANY = {"id": "01936e00-4e5f-7061-b273-8d9eafb0c10c", "slug": "acme", "name": "Acme"}
TOKEN = "01936f00-5f60-7172-8384-9eafb0c1d20d"
SESSION = "01936f00-6071-7283-9495-afb0c1d2e30e"
DOCUMENT = "01936e00-7182-7394-a5a6-b0c1d2e3f40f"
OPENED_AT = "2026-11-29T09:14:03.120Z"
ANSWERED_AT = "2026-11-29T09:31:40.507Z"
LATER = "2026-12-01T08:00:00.000Z"
DAY = "2026-11-29"
RAW_MAIL = (
    "From: Kari Nordmann <kari@acme.example>\r\nTo: it@help.example.org\r\nSubject: My computer hums\r\n"
    "\r\nSince this morning.\r\n"
)
