"""The floor: a FastAPI application that does a transaction of two inserts for a request, on two workers."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from pydantic import BaseModel


class Item(BaseModel):
    subject: str
    body: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(os.environ["FLOOR_DATABASE_URL"], min_size=4, max_size=8)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.post("/items", status_code=201)
async def make(item: Item, request: Request) -> dict[str, Any]:
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval("INSERT INTO items (subject) VALUES ($1) RETURNING id", item.subject)
        await connection.execute("INSERT INTO bodies (item, body) VALUES ($1, $2)", number, item.body)
    return {"id": number}
