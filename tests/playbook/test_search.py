"""A question finds the passage that answers it, however it is spelled; what no document says is told apart."""

import json
from pathlib import Path

from conversations.playbook import search
from conversations.playbook.evaluation import predict

KNOWLEDGE = Path(__file__).resolve().parents[1] / "evals" / "knowledge"
DOCUMENT = """Ateliê Girassol

Cursos
A oficina de cerâmica tem oito encontros e custa R$ 640. O forno fica na sede.

Horários
Abrimos de terça a sábado, das 10h às 19h. Segunda é dia de manutenção.

Trocas
Peças com defeito são trocadas em até 20 dias. Não fazemos entrega fora do bairro.
"""


def test_it_splits_a_document_into_passages_with_headings() -> None:
    passages = search.split(DOCUMENT)
    assert [passage.heading for passage in passages] == ["Cursos", "Horários", "Trocas"]
    assert all(passage.text in DOCUMENT for passage in passages)


def test_it_finds_the_passage_of_misspelled_and_reworded_questions() -> None:
    index = search.Index(search.split(DOCUMENT))
    for question, heading in [
        ("quanto sai a oficna de ceramica", "Cursos"),
        ("que horas vocês fecham?", "Horários"),
        ("veio com defeitos, trocam?", "Trocas"),
        ("entregam em outro bairro?", "Trocas"),
    ]:
        assert index.find(question)[0].passage.heading == heading, question


def test_it_is_surer_of_what_the_document_says() -> None:
    index = search.Index(search.split(DOCUMENT))
    said = index.find("qual o preço da oficina de cerâmica?")[0].confidence
    unsaid = index.find("vocês alugam bicicletas elétricas?")
    assert said >= search.ANSWERABLE
    assert not unsaid or unsaid[0].confidence < search.ANSWERABLE


def test_it_returns_nothing_for_nothing() -> None:
    assert search.Index([]).find("preço?") == []
    assert search.Index(search.split(DOCUMENT)).find("") == []


def test_it_reaches_its_figures_on_the_questions() -> None:
    right = told = said = unsaid = 0
    answerable = others = 0
    for line in (KNOWLEDGE / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        document = (KNOWLEDGE / f"{row['doc_set']}.txt").read_text(encoding="utf-8")
        prediction = predict({**row, "document": document})
        if row["expect"]["answerable"]:
            answerable += 1
            passage = row["expect"]["passage"]
            right += any(passage in " ".join(text.split()) for text in prediction["passages"])
            said += prediction["answerable"]
        else:
            others += 1
            unsaid += not prediction["answerable"]
        told += all(text in document for text in prediction["passages"])
    assert (answerable, others, told) == (48, 24, 72)
    assert right / answerable >= 0.95
    assert unsaid / others >= 0.75
    assert said / answerable >= 0.64
