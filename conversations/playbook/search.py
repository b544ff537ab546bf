"""Which passages of a business's own documents answer a question, and whether any does. Pure.

A passage is a paragraph under its heading. It is ranked by its best sentence with the neighbours, by the whole
paragraph and by its heading: words of one beginning and character n-grams (people misspell), weighed by how rare they
are in these documents, and words of one meaning (`lexicon.concepts` and the everyday vocabulary of customers below).
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from conversations.playbook.money import level

LONGEST_HEADING = 70  # characters of a line that stands above a paragraph
STEM = 5
MOST_TERMS = 600  # of a passage
MOST_WORDS = 24  # of a question
GRAMS = (3, 4, 5)
SATURATION, LENGTH_SHARE = 1.2, 0.4  # k1 and b of BM25
SENTENCE, PARAGRAPH, HEADING = 1.0, 0.5, 0.35  # what each counts
MEANING = 0.7  # a word of the same meaning against the word itself
ANSWERABLE = 0.5  # from this on `Hit.confidence` the question is answered

EMPTY = frozenset(
    """a o as os um uma uns umas de da do das dos em no na nos nas por pra para pro pela pelo com sem e ou que se eu voce voces vcs vc ce me te lhe meu minha meus minhas seu sua seus suas
    nosso nossa isso isto esse essa este esta aquele ele ela eles elas ai la aqui la ja so mais muito bem sim nao ne tem tenho temos ter ha e sou ser sao foi era esta estao estou ta to fica ficam
    pode posso podem da dao vai vou ir faz fazem fazer quer quero queria preciso gostaria saber sobre como qual quais quanto quanta quantos quando onde quem porque pq q oi ola bom boa dia tarde noite
    the an of to in on at for and or is are be do does did can could i you we they my your it this that what how when where who which have has will would there if with from
    el los las un unos unas del al en y con su sus mi mis tu es son hay tiene tienen puede puedo pueden lo le les yo ustedes usted como cual cuanto cuando donde quien que si no por para se me favor
    qnt qto qtos qtas qt dele dela deles delas tb tbm vcs oq pro p d n mim comigo moro mora comprei compro compra usar usa usam usando ver vejo tenho teve ir indo vem vir so tao ne hein moca moco gente conseguir consigo consegue conseguem funciona tipo kg kilo kilos quilo quilos km g m cm
existe tipo algum alguma alguem coisa mesmo mesma entao tambem ate entre apos depois antes durante cada todo toda todos todas outro outra ainda porem mas menos ok vcs ces serve aceita aceitam""".split()
)
MEANINGS = """
preco valor custo custa custam quanto caro barato mensalidade taxa tarifa cobra cobram cobrado price cost fee precio cuesta sai pago pagar paga
pagamento pagar pago pix boleto cartao credito debito dinheiro parcela parcelar vezes vencimento card payment tarjeta efectivo forma parcelado dividir divide
horario hora horas abre fecha aberto fechado funciona atendimento atende expediente plantao domingo sabado feriado open close hours abren cierran
endereco onde fica rua avenida bairro local localizacao unidade address located ubicacion direccion cidade regiao
cancelar cancela cancelamento rescindir multa fidelidade desistir sair encerrar contrato carencia cancel refund devolucao reembolso
desconto promocao abatimento porcento off discount descuento condicao irmao segundo
garantia defeito quebra quebrar estraga estragar troca trocar conserto danifica queimar broken warranty repara manutencao
entrega entregar prazo demora chega tempo rapido envio frete delivery plazo leva pronto dias uteis
instalar instalacao instalado instalam instala tecnico montar colocar monta install
roubo roubado furto furtado roubaram ladrao assalto stolen theft recuperar
carro carros veiculo veiculos moto motos caminhao caminhoes frota automovel automoveis caminhonete vehicle
rastrear rastreador localizar localizacao gps mapa aparelho equipamento monitorar dispositivo device
bateria energia eletrica consumo descarrega
celular aplicativo app telefone smartphone android iphone site internet sinal chip
motorista condutor motoristas dirige dirigir driver
cao caes cachorro cachorra cachorrinho dog perro filhote animal animais pet bicho pets mascota
gato gatos gata felino felinos cat
banho tosa tosar tosado higiene pelo pelos lavar escovar
vacina vacinas vacinado vacinacao carteira antirrabica vermifugo
veterinario veterinaria consulta medico emergencia urgencia doente vet
hospedagem hotel hospedar hotelzinho creche daycare pernoite dormir ficar viagem viajar diaria
buscar busca trazer levar leva taxi transporte van onibus perua buscam coleta retirar
racao comida alimento alimentacao almoco lanche refeicao jantar merenda cardapio comer alergia lunch food
crianca criancas filho filha filhos aluno alunos bebe menino menina kid estudante estudantes
idade anos meses minima mes novo pequeno age
matricula matricular inscricao inscrever rematricula vaga vagas entrar ingresso
aula aulas turma turmas turno serie ano ensino disciplina class classe
prova provas avaliacao teste sondagem diagnostica vestibulinho exame selecao entrevista test
professor professora professores docente docentes coordenadora pedagoga teacher
material livro livros apostila caderno didatico uniforme farda roupa mochila
ingles idioma bilingue espanhol language english
esporte futebol natacao judo bale danca musica teatro robotica xadrez extracurricular atividade atividades
ferias recesso feriado calendario inicio comeca termina aulas janeiro dezembro
integral periodo manha tarde contraturno noturno dia inteiro
visita visitar conhecer tour agendar marcar agendamento agenda
nota boletim reprovar recuperacao media aprovacao
especial inclusao autista autismo tea deficiencia laudo pcd
seguro seguradora indenizacao cobertura cobre apolice
relatorio relatorios historico dados exportar planilha registro historicos
alerta alertas aviso avisos notificacao avisa avisar velocidade excesso cerca
bloquear bloqueio travar cortar desligar motor remoto parar
contrato plano planos pacote assinatura mensal anual adesao
teste experimental gratis gratuito gratuita free trial experimentar demonstracao
documento documentos cpf rg cnpj comprovante papel papeis
pessoa fisica particular individual unico sozinho cpf
empresa juridica cnpj corporativo empresas
suporte ajuda assistencia atendente problema duvida contato ligar whatsapp telefone email
integra integracao api sistema erp conectar
agressivo bravo morde morder medo nervoso brigam temperamento ansioso
porte grande pequeno medio tamanho peso raca racas kg
atraso atrasar atrasado atrasa tolerancia chegar tarde depois perder falta faltar
camera cameras video filmagem ver ao vivo acompanhar foto fotos
idoso castrado cio prenha gestante gravida
""".strip().splitlines()


@dataclass(frozen=True)
class Passage:
    """A paragraph that may be quoted: its heading ("" for none) and its text, verbatim."""

    heading: str
    text: str


@dataclass(frozen=True)
class Hit:
    """A passage that was found, by its place in what was indexed; `confidence` that it answers, from 0 to 1."""

    index: int
    passage: Passage
    score: float
    confidence: float


def split(document: str) -> list[Passage]:
    """Paragraphs of a document; a short line without a full stop above one is its heading."""
    found: list[Passage] = []
    heading = ""
    for block in re.split(r"\n\s*\n", document):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if not lines:
            continue
        if (
            len(lines[0]) <= LONGEST_HEADING
            and not lines[0].endswith((".", "!", "?", ";"))
            and not lines[0].startswith(("-", "•", "*"))
        ):
            heading, lines = lines[0].strip("# "), lines[1:]
        if lines:
            found.append(Passage(heading, "\n".join(lines)))
    return found


class Index:
    """Passages made ready to be searched. Immutable; a thousand paragraphs take about a second to read.

    When they are a choice among more, `total` says of how many, and `counts` in how many of those a term is.
    """

    def __init__(self, passages: Sequence[Passage], *, counts: Mapping[str, int] | None = None, total: int = 0) -> None:
        self.passages = tuple(passages)
        self._sentences = [_sentences(passage.text) for passage in self.passages]
        self._windows = [list(_windows(sentences)) for sentences in self._sentences]
        self._fields = [(_terms(p.text), _terms(p.heading)) for p in self.passages]
        self._single = [[_terms(sentence) for sentence in sentences] for sentences in self._sentences]
        counted: Counter[str] = Counter()
        for body, heading in self._fields:
            counted.update(set(body) | set(heading))
        counted.update({term: max(0, count - counted[term]) for term, count in (counts or {}).items()})
        total = max(len(self.passages), total, 1)
        self._rarity = {term: math.log(1 + (total - count + 0.5) / (count + 0.5)) for term, count in counted.items()}
        self._unseen = math.log(1 + (total + 0.5) / 0.5)
        lengths = [sum(body.values()) for body, _ in self._fields]
        self._mean = sum(lengths) / total or 1.0
        self._vocabulary = {word for p in self.passages for word in _words(f"{p.heading} {p.text}")}

    def find(self, question: str, *, limit: int = 3) -> list[Hit]:
        """The best passages for a question, best first; empty when nothing of it is in any."""
        asked = [word for word in _words(level(question)) if word not in EMPTY] or _words(level(question))
        query = [(word, _word_terms(word), _meanings(word)) for word in asked if not word.isdigit()] or [
            (word, _word_terms(word), ()) for word in asked
        ]
        scored = []
        for at in range(len(self.passages)):
            score = self._score(query, at)
            if score > 0:
                scored.append((score, at))
        scored.sort(key=lambda item: (-item[0], item[1]))
        confidence = self._confidence(question, query, [at for _, at in scored[:limit]])
        return [
            Hit(at, self.passages[at], score, confidence if place == 0 else confidence * score / scored[0][0])
            for place, (score, at) in enumerate(scored[:limit])
        ]

    def _score(self, query: list["Asked"], at: int) -> float:
        body, heading = self._fields[at]
        best = max((self._match(query, window) for window in self._windows[at]), default=0.0)
        return SENTENCE * best + PARAGRAPH * self._match(query, body) + HEADING * self._match(query, heading)

    def _match(self, query: list["Asked"], terms: Counter[str]) -> float:
        length = sum(terms.values())
        norm = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length / self._mean)
        return sum(self._one(word, terms, norm) for word in query)

    def _one(self, word: "Asked", terms: Counter[str], norm: float) -> float:
        _, own, meant = word
        total = 0.0
        stems = [term for term in own if term[0] == "="]
        grams = [term for term in own if term[0] == "~"]
        direct = sum(self._weight(term, terms, norm) for term in stems)
        near = sum(self._weight(term, terms, norm) for term in grams) / math.sqrt(len(grams) or 1) * 0.5
        total = max(direct, 0.5 * (direct + near))
        if total < 1.0:
            total = max(total, MEANING * max((self._weight(term, terms, norm) for term in meant), default=0.0))
        return total

    def _weight(self, term: str, terms: Counter[str], norm: float) -> float:
        count = terms.get(term, 0)
        return self._rarity.get(term, self._unseen) * count * (SATURATION + 1) / (count + norm) if count else 0.0

    def _confidence(self, question: str, query: list["Asked"], best: list[int]) -> float:
        """How much of what is asked the best passage says, each word by how rare it is; and whether it says that kind of thing."""
        if not best:
            return 0.0
        plain = level(question)
        covered = max(self._coverage(query, window) for at in best[:2] for window in (*self._windows[at],))
        kind = max(_says_kind(plain, level(f"{self.passages[at].heading} {self.passages[at].text}")) for at in best[:2])
        raw = 6.0 * (covered - 0.52) + 2.2 * (kind - 0.8)
        return 1.0 / (1.0 + math.exp(-raw))

    def _coverage(self, query: list["Asked"], terms: Counter[str]) -> float:
        whole = had = 0.0
        for _, own, meant in query:
            stems = [term for term in own if term[0] == "="]
            grams = [term for term in own if term[0] == "~"]
            weight = max((self._rarity.get(term, self._unseen) for term in stems), default=1.0)
            exact = any(term in terms for term in stems)
            alike = sum(term in terms for term in grams) / (len(grams) or 1)
            same = any(term in terms for term in meant)
            whole += weight
            had += weight * (1.0 if exact else max(0.75 if same else 0.0, alike if alike > 0.55 else 0.0))
        return had / whole if whole else 0.0


Asked = tuple[str, tuple[str, ...], tuple[str, ...]]


def stored_terms(heading: str, text: str) -> list[str]:
    """What a passage is found by among many: beginnings of its words, their meanings and trigrams. Bounded, sorted."""
    words = [word for word in dict.fromkeys(_words(f"{heading} {text}")) if word not in EMPTY]
    kept: dict[str, None] = {}
    for pick in (_firsts, _meanings, _trigrams):
        for word in words:
            kept.update(dict.fromkeys(pick(word)))
    return sorted(list(kept)[:MOST_TERMS])


def query_terms(question: str) -> dict[str, float]:
    """The terms to look for, each with what sharing it counts."""
    words = [word for word in dict.fromkeys(_words(level(question))) if word not in EMPTY][:MOST_WORDS]
    wanted: dict[str, float] = {}
    for word in words:
        grams = _trigrams(word)
        for term, weight in (
            *((term, 1.0) for term in _firsts(word)),
            *((term, MEANING) for term in _meanings(word)),
            *((term, 1 / len(grams)) for term in grams),
        ):
            wanted[term] = max(weight, wanted.get(term, 0.0))
    return wanted


def _firsts(word: str) -> tuple[str, ...]:
    return (f"={_stem(word)}",)


def _trigrams(word: str) -> tuple[str, ...]:
    padded = f"<{word}>"
    return tuple(f"~{padded[at : at + 3]}" for at in range(len(padded) - 2)) if len(word) > 2 else ()


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", level(text))  # "6kg" is a number and a unit


@lru_cache(maxsize=8192)
def _word_terms(word: str) -> tuple[str, ...]:
    """The beginning of the word, and its character n-grams."""
    padded = f"<{word}>"
    grams = (
        [f"~{padded[i : i + size]}" for size in GRAMS for i in range(len(padded) - size + 1)] if len(word) > 2 else []
    )
    return (f"={_stem(word)}", *grams)


def _stem(word: str) -> str:
    return word if len(word) <= STEM else word[:STEM]


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for number, line in enumerate(MEANINGS):
        for word in line.split():
            if number not in (places := found.setdefault(_stem(word), [])):
                places.append(number)
    return {stem: tuple(places) for stem, places in found.items()}


@lru_cache(maxsize=8192)
def _meanings(word: str) -> tuple[str, ...]:
    return tuple(f"#{group}" for group in _groups().get(_stem(word), ()))


def _terms(text: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for word in _words(text):
        if word in EMPTY:
            continue
        counted.update(_word_terms(word))
        counted.update(_meanings(word))
    return counted


def _sentences(text: str) -> list[str]:
    return [piece.strip() for piece in re.split(r"(?<=[.!?;])\s+|\n", text) if piece.strip()]


def _windows(sentences: list[str]) -> Iterator[Counter[str]]:
    """Every sentence with half of what its neighbours say."""
    for at, sentence in enumerate(sentences):
        terms = Counter(_terms(sentence))
        for neighbour in sentences[max(0, at - 1) : at] + sentences[at + 1 : at + 2]:
            for term in _terms(neighbour):
                if term not in terms:
                    terms[term] = 1
        yield terms


KINDS = (
    (re.compile(r"\b(?:quanto (?:custa|e|fica|sai|ta|cobra\w*|pago)|qual (?:o )?(?:valor|preco)|preco|valor|how much|cuanto (?:cuesta|sale))\b"), re.compile(r"r\$|\$|€|gratis|gratuit|sem custo|incluso|incluid|\d+ ?%|mensalidade|reais")),
    (re.compile(r"\b(?:que horas|qual (?:o )?horario|abre\w*|fecha\w*|what time|que hora|horario)\b"), re.compile(r"\d{1,2}\s?h|\d{1,2}:\d\d|24 horas|meio-dia")),
    (re.compile(r"\b(?:qual (?:e )?o nome|quem (?:e|sao|da|vai|faz)|como (?:se )?chama|who)\b"), re.compile(r"\bdr|coordena|diret|responsavel|equipe|profission|professor|veterinari|tecnic")),
    (re.compile(r"\b(?:quantos|quantas|cuantos|how many)\b"), re.compile(r"\d")),
    (re.compile(r"\b(?:onde (?:fica|e|voces)|endereco|qual (?:a )?rua|where|donde)\b"), re.compile(r"\brua|\bav|bairro|unidade|cidade|londrina|regiao|site|aplicativo|endereco")),
)  # fmt: skip


def _says_kind(question: str, text: str) -> float:
    """1.0 when the text says the kind of thing asked for (a price, an hour, a person, a number, a place), 0.3 when not."""
    wanted = [answer for asks, answer in KINDS if asks.search(question)]
    if not wanted:
        return 0.8
    return 1.0 if all(answer.search(text) for answer in wanted) else 0.3
