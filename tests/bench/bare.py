"""The floor under `POST /leads`: Flask and psycopg, one INSERT, and nothing else.

`BARE_DATABASE_URL` names the database.

It reads the body as JSON, writes it down, waits for the disk as long as the product does, and
answers 202. Each thread has a connection of its own, so nothing is spent on a pool.
"""

import os
import threading
from typing import Any
from uuid import uuid4

import psycopg
from flask import Flask, request
from psycopg.types.json import Jsonb

TABLE = "CREATE TABLE IF NOT EXISTS bare_forms (id uuid PRIMARY KEY, form jsonb NOT NULL)"

app = Flask(__name__)
_own = threading.local()


def _connection() -> psycopg.Connection[Any]:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["BARE_DATABASE_URL"], autocommit=True)
    connection: psycopg.Connection[Any] = _own.connection
    return connection


@app.post("/api/v1/leads")
def take_in() -> tuple[dict[str, str], int]:
    """Keep a form."""
    form_id = uuid4()
    _connection().execute(
        "INSERT INTO bare_forms (id, form) VALUES (%s, %s)", (form_id, Jsonb(request.get_json()))
    )
    return {"reference": str(form_id), "status": "awaiting_confirmation"}, 202


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Say that requests can be served."""
    return {"status": "ok"}
