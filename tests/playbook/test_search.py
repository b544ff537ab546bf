"""A question finds the passage that answers it, however it is spelled; what no document says is told apart."""

import json
from pathlib import Path

import numpy as np
import pytest

from conversations.playbook import search
from conversations.playbook.evaluation import predict
from conversations.playbook.training import answerable

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
    assert said / answerable >= 0.80


def test_the_weights_are_what_the_training_data_gives() -> None:
    fitted = answerable.fitted()
    with np.load(search.WEIGHTS) as stored:
        assert stored["features"] == pytest.approx(fitted.features, abs=0.02)
        assert stored["phrasing"] == pytest.approx(fitted.phrasing[stored["rows"]], abs=0.02)
        assert len(stored["features"]) == len(search.FEATURES)
    assert len(answerable.rows()) > 500


def test_it_takes_a_question_in_a_document_for_a_heading() -> None:
    passages = search.split("Tem garantia?\nSim, de um ano.\n\nEntregam?\nEm Natal, sim.")
    assert [(one.heading, one.text) for one in passages] == [
        ("Tem garantia?", "Sim, de um ano."), ("Entregam?", "Em Natal, sim."),
    ]  # fmt: skip


@pytest.mark.parametrize("slip", ["ceramca", "cerâmicaa", "serâmica", "CERAMICAS"])
def test_it_forgives_slips_of_the_finger(slip: str) -> None:
    found = search.Index(search.split(DOCUMENT)).find(f"tem aula de {slip}?")
    assert found[0].passage.heading == "Cursos"


def test_it_counts_rarity_among_all_passages_not_among_those_given() -> None:
    passages = [search.Passage("", "A oficina abre cedo."), search.Passage("", "A oficina de vidro abre tarde.")]
    alone = search.Index(passages).find("oficina de vidro")
    among = search.Index(passages, counts={"=ofici": 900}, total=1000).find("oficina de vidro")
    assert alone[0].passage is among[0].passage is passages[1]
    assert among[0].score - among[1].score > alone[0].score - alone[1].score
