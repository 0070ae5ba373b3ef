"""What looks like a secret is taken out of commands and of their output."""

from __future__ import annotations

import pytest

from mlmd_lineage.recording.secret_values import without_secrets, without_secrets_in


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["mysql", "-phunter2", "db"], ["mysql", "-p***", "db"]),
        (["t.py", "--password", "-hunter2"], ["t.py", "--password", "***"]),
        (["env", "DB_PASSWORD=hunter2 x", "t.py"], ["env", "DB_PASSWORD=***", "t.py"]),
        (
            ["sh", "-c", "cd x && DB_PASSWORD=hunter2 python t.py"],
            ["sh", "-c", "cd x && DB_PASSWORD=*** python t.py"],
        ),
        (["sh", "-c", "t.py --db-token hunter2 -v"], ["sh", "-c", "t.py --db-token *** -v"]),
        (["cp", "-prefix", "max_tokens=512"], ["cp", "-prefix", "max_tokens=512"]),
    ],
)
def test_words(words: list[str], shown: list[str]):
    assert without_secrets(words) == shown


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:hunter2@h/d",
        "redis://:hunter2@h",
        "HOME=/\nAWS_SECRET_ACCESS_KEY=hunter2\n",
        'note: {"password": "hunter2"}',
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n",
    ],
)
def test_output(text: str):
    assert "hunter2" not in without_secrets_in(text)
    assert "***" in without_secrets_in(text)


def test_other_output_is_kept():
    text = "epoch 1: loss=0.1 tokens: 512 https://host:80/x\n"
    assert without_secrets_in(text) == text
