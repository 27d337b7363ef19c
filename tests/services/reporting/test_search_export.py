"""`GET /search/export`: every hit of a search as a file, in its order and for the one who asks."""

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from services.reporting.exports.export import Exports
from services.reporting.search import export_api
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.rules.access import Identity
from shared.testing.keys import KEYS, SIGNING
from tests.services.reporting.exported import commas, parquet, sheets
from tests.services.reporting.reporting_database import ZONE
from tests.services.reporting.searching import Searched
from tests.services.reporting.test_search import BY, EVA, HR_PLACE, IT_PLACE, KARI, MAX_REF, PER, PER_REF, desk
from tests.specs.requirement import requirement

__all__ = ["desk"]


async def exported(desk: Searched, asked: str, who: Identity = KARI) -> Response:
    router = export_api.router(desk.search, Exports(desk.rows.app_url), ZONE)
    app = application(Health("reporting", "api"), keys=KEYS, routers=[router])
    async with AsyncClient(transport=ASGITransport(app), base_url="http://reporting") as client:
        return await client.get(f"/api/v1/search/export?{asked}", headers={HEADER: sign(who, "reporting", SIGNING)})


@requirement("A18.02", "A11.07")
async def test_every_hit_is_exported_in_the_order_of_the_search(desk: Searched) -> None:
    made = [await desk.open(IT_PLACE, PER_REF, f"bulk {n}", "heavy") for n in range(520)]
    await desk.open(IT_PLACE, PER_REF, "another matter")
    await desk.ask("heavy", KARI)
    numbers = [number for _, number in made]
    answer = await exported(desk, "q=heavy&sort=created_at&columns=number,title")
    assert answer.headers["content-type"].startswith("text/csv")
    assert [row[0] for row in commas(answer.content)[1:]] == numbers, "more than the index gives at once"
    backwards = await exported(desk, "q=heavy&sort=-created_at&format=json&columns=number")
    assert [row["number"] for row in backwards.json()["items"]] == numbers[::-1]
    typed = await exported(desk, "q=heavy&sort=created_at&format=parquet&columns=number")
    assert [row["number"] for row in parquet(typed.content)] == numbers
    (book,) = sheets((await exported(desk, "q=heavy&sort=created_at&format=xlsx&columns=number")).content).values()
    assert [row["A"] for row in book[1:]] == numbers


@requirement("A19.04", "A18.02")
async def test_only_what_somebody_may_see_is_found_and_exported(desk: Searched) -> None:
    mine, number = await desk.open(IT_PLACE, PER_REF, "seen", "heavy")
    await desk.open(HR_PLACE, MAX_REF, "hidden", "heavy")
    await desk.note(mine, BY, "secretword")
    await desk.ask("heavy", KARI)
    for who, q, numbers in (
        (KARI, "heavy", [number]), (PER, "heavy", [number]), (EVA, "heavy", []), (KARI, "secretword", [number]),
        (PER, "secretword", []), (KARI, "nothing", []), (KARI, "heavy&queue=hr", []), (KARI, "heavy&queue=it", [number]),
    ):  # fmt: skip
        rows = commas((await exported(desk, f"q={q}&columns=number", who)).content)
        assert rows == [["number"], *([each] for each in numbers)], (who.login, q)


@pytest.mark.parametrize("asked", ["sort=colour", "columns=colour", "format=doc", "colour=red", "limit=5", "cursor=x"])
async def test_bad_parameters_are_refused(desk: Searched, asked: str) -> None:
    assert (await exported(desk, f"q=x&{asked}")).status_code == 422
