"""Files and pages become text in a process of their own; what cannot be read says why, whatever was put into it."""

import signal
import subprocess
from typing import Any

import pytest

from conversations.documents import apart
from conversations.documents.shapes import DOCX, HTML, LONGEST_TEXT_CHARS, PDF, PLAIN, CannotRead, Failure
from conversations.playbook import search
from tests.conversations.papers import docx, paragraph, pdf

ABOUT = "Nossa oficina conserta bicicletas de segunda a sabado e busca\na sua em casa sem custo na cidade toda."
PAGE = """<!doctype html><html><head><title>Bolos da Nena</title><style>p{}</style></head><body>
<nav><a href="/">Menu do topo</a></nav><main><h1>Encomendas</h1><p>Pedidos com <b>dois dias</b> de prazo.</p>
<h2>Pre&ccedil;os</h2><ul><li>Bolo simples: R$ 60</li><li>Bolo recheado: R$ 95</li></ul>
<p hidden>Escondido</p><script>alert("script")</script></main><footer>Rodape</footer></body></html>"""


def failure_of(data: bytes, **options: Any) -> Failure:
    with pytest.raises(CannotRead) as caught:
        apart.read(data, apart.kind_of(data), **options)
    return caught.value.failure


def test_it_reads_a_pdf_and_joins_its_lines() -> None:
    data = pdf(f"Quem somos\n{ABOUT}", "Horario\nAbrimos as 8h.")
    assert apart.kind_of(data) == PDF
    passages = search.split(apart.read(data, PDF).text)
    assert [(one.heading, one.text) for one in passages] == [
        ("Quem somos", ABOUT.replace("\n", " ")), ("Horario", "Abrimos as 8h."),
    ]  # fmt: skip


def test_it_reads_a_word_document_with_headings_and_tables() -> None:
    table = "".join(
        f"<w:tr><w:tc>{paragraph(name)}</w:tc><w:tc>{paragraph(price)}</w:tc></w:tr>"
        for name, price in [("Corte", "R$ 40"), ("Barba", "R$ 30")]
    )
    data = docx(f"{paragraph('Tabela', style='Heading1')}{paragraph('Valores de 2026.')}<w:tbl>{table}</w:tbl>")
    assert apart.kind_of(data) == DOCX
    assert apart.read(data, DOCX).text == "Tabela\nValores de 2026.\n\n- Corte: R$ 40\n- Barba: R$ 30"


def test_it_reads_the_main_part_of_a_page() -> None:
    found = apart.read(PAGE.encode(), apart.kind_of(PAGE.encode()))
    assert found.title == "Bolos da Nena"
    assert "Pedidos com dois dias de prazo." in found.text
    assert "- Bolo recheado: R$ 95" in found.text
    for noise in ("Menu", "Rodape", "script", "Escondido", "p{}"):
        assert noise not in found.text, noise
    assert [one.heading for one in search.split(found.text)] == ["Encomendas", "Preços"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_it_reads_text_in_the_encodings_people_have(encoding: str) -> None:
    data = "Preço: não há taxa.".encode(encoding)
    assert apart.read(data, apart.kind_of(data)).text == "Preço: não há taxa."


def test_it_takes_the_claimed_type_only_to_tell_a_page_from_text() -> None:
    assert apart.kind_of(b"<p>ola</p>", claimed="text/html; charset=utf-8") == HTML
    assert apart.kind_of(b"<p>ola</p>", claimed="application/pdf") == PLAIN
    assert apart.kind_of(pdf("x"), claimed="text/html") == PDF


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", Failure.EMPTY),
        (b" \n ", Failure.EMPTY),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, Failure.WRONG_KIND),
        (b"PK\x03\x04" + b"\x00" * 50, Failure.WRONG_KIND),
        (b"MZ\x00\x01\x02binary", Failure.WRONG_KIND),
        (b"%PDF-1.7 and nothing of the kind", Failure.BROKEN),
        (pdf("", ""), Failure.SCANNED),
        (pdf(ABOUT, password="segredo"), Failure.ENCRYPTED),
        (pdf(*["Uma pagina com algum texto nela"] * 301), Failure.TOO_LONG),
        (b"palavra " * (LONGEST_TEXT_CHARS // 8 + 2), Failure.TOO_LONG),
        (docx("<w:p>"), Failure.BROKEN),
        (docx(""), Failure.EMPTY),
        (docx("&x;", prolog='<!DOCTYPE d [<!ENTITY x "aaaa">]>'), Failure.BROKEN),
        (docx(f"<w:p><w:r><w:t>{'a' * 31 * 1024 * 1024}</w:t></w:r></w:p>"), Failure.TOO_LARGE),
    ],
    ids=["nothing", "blank", "picture", "zip", "program", "broken pdf", "scanned", "encrypted", "pages", "long",
         "broken docx", "empty docx", "entities", "zip bomb"],
)  # fmt: skip
def test_it_says_why_there_is_no_text(data: bytes, why: Failure) -> None:
    assert failure_of(data) == why


def test_it_gives_up_a_reading_that_takes_too_long() -> None:
    assert failure_of(pdf(ABOUT), seconds=0.001) == Failure.TOO_SLOW


def test_it_survives_a_reader_that_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], returncode=-signal.SIGKILL, stdout=b"", stderr=b"")
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: killed)
    assert failure_of(b"texto") == Failure.TOO_SLOW


def test_it_gives_the_reader_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    real = subprocess.run

    def run(*given: Any, **options: Any) -> Any:
        seen.update(options)
        return real(*given, **options)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("SECRET_KEY", "not for readers")
    apart.read(b"texto", PLAIN)
    assert set(seen["env"]) == {"LC_ALL"}
    assert seen["timeout"] == apart.LONGEST_SECONDS
