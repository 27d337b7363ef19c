"""The documents of docs/rules.md can be saved as they stand there, and are complete."""

from tests.rules_guide import GUIDE, examples
from tests.services.gateway.conftest import Gateway
from tests.specs.requirement import requirement

QUEUES = ("service-desk", "second-line", "purchasing", "ordering", "drop-in")


@requirement("A21.14", "A9.02", "A8.06")
async def test_every_document_of_the_guide_can_be_saved(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for queue in QUEUES:
        assert (await admin.put(f"/queues/{queue}", {"slug": queue, "name": queue, "members": []})).status == 201
    assert (await admin.put("/companies/acme", {"slug": "acme", "name": "Acme"})).status == 201
    found = examples()
    assert sorted(found) == list(range(1, 11))
    for number, documents in found.items():
        assert documents, number
        for path, document in documents:
            answer = await admin.put(path, document)
            assert answer.status == 201, (path, answer)
            shown = {name: answer.body[name] for name in document}
            assert shown == document, path


def test_no_document_of_the_guide_is_overlooked() -> None:
    text = GUIDE.read_text("utf-8")
    assert sum(map(len, examples().values())) == text.count("```json") == text.count("\n`PUT /")
