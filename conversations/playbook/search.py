"""Which passages of a business's own documents answer a question, and whether any does. Pure.

A passage is a paragraph under its heading. It is ranked by its best sentence with the neighbours, by the whole
paragraph and by its heading: words of one beginning and character n-grams (people misspell), weighed by how rare they
are in these documents, and words of one meaning (`lexicon.concepts` and the everyday vocabulary of customers below).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from conversations.playbook.money import level

LONGEST_HEADING = 70  # characters of a line that stands above a paragraph
STEM = 5
SHORTEST_CORRECTED, ALIKE = 4, 0.8  # letters of a word that may be a slip; and how near the right one must be
ENDINGS = ("zinho", "zinha", "inho", "inha", "ito", "ita", "ing", "ed", "a", "o", "e")
MOST_TERMS = 600  # of a passage
MOST_WORDS = 24  # of a question
GRAMS = (3, 4, 5)
SATURATION, LENGTH_SHARE = 1.2, 0.4  # k1 and b of BM25
SENTENCE, PARAGRAPH, HEADING = 1.0, 0.5, 0.35  # what each counts
MEANING = 0.7  # a word of the same meaning against the word itself
EXACT, LIKE_ENOUGH, HEADING_LEVEL = 0.9, 0.55, 0.9
MISSED = 0.3  # a word that is less surely there is missing
LIMIT = 3  # passages that may answer
FIRST_WORDS = 3  # of a question say what sort it is
FEATURES = (
    "said", "worst word", "words missing", "words unheard of", "said exactly", "says the kind", "kind nowhere",
    "said beside the kind", "asks a kind", "ahead of the next", "score", "length",
)  # fmt: skip
WEIGHTS = Path(__file__).parent / "weights" / "answerable.npz"  # of FEATURES and of `Index.phrasing`, fitted
BUCKETS = 1 << 14
PHRASING = 4.0  # what all of it counts against one feature
ANSWERABLE = 0.6  # from this on `Hit.confidence` the question is answered

EMPTY = frozenset(
    """a o as os um uma uns umas de da do das dos em no na nos nas por pra para pro pela pelo com sem e ou que se eu voce voces vcs vc ce me te lhe meu minha meus minhas seu sua seus suas
    nosso nossa isso isto esse essa este esta aquele ele ela eles elas ai la aqui la ja so mais muito bem sim nao ne tem tenho temos ter ha e sou ser sao foi era esta estao estou ta to fica ficam
    pode posso podem da dao vai vou ir faz fazem fazer quer quero queria preciso gostaria saber sobre como qual quais quanto quanta quantos quando onde quem porque pq q oi ola bom boa dia tarde noite
    the an of to in on at for and or is are be do does did can could i you we they my your it this that what how when where who which have has will would there if with from
    el los las un unos unas del al en y con su sus mi mis tu es son hay tiene tienen puede puedo pueden lo le les yo ustedes usted como cual cuanto cuando donde quien que si no por para se me favor
    qnt qto qtos qtas qt dele dela deles delas tb tbm vcs oq pro p d n mim comigo moro mora comprei compro compra usar usa usam usando ver vejo tenho teve ir indo vem vir so tao ne hein moca moco gente conseguir consigo consegue conseguem funciona tipo kg kilo kilos quilo quilos km g m cm
hasta desde sin sobre entre tambien ademas muy mas menos ya aqui aca alli ahi esto eso esta este estos estas estan estamos somos soy eres fue algo alguien alguno alguna algunos nada ella ellas ellos nosotros nuestra nuestro
    queremos quiero quiere queria podemos podria pueda pueden hacer hacen hace hacemos hago tengo tenemos tenes tienes vengo viene vienen va van voy vamos ir dar dan doy doy poner ponen ponemos saber sabe sabes digo dice dicen gracias buenas buenos hola che porfa favor necesito hay
    got get gets its im ive id us our me mine any some somebody someone anybody anyone something anything just also too so no not yes hi hello hey thanks thank please pls need needs want wants like know tell bring brings take takes go goes going come comes make makes made let lets put been being was were had did does done should may might must shall about into out up down over under than then them they his her he she these those am u r ur own per each every much many
    tenha tiver teria seria sera seriam fosse isto aquilo nele nela neles nelas num numa uns mim vem veem vou vamos vao indo ficar ficando dando deixar deixa deixam por causa queria queremos gostaria preciso precisa precisam precisava faco faca fizer fiz dou dei sei sabe sabem sabia dizer fala falam falar favor obrigado obrigada moço moça minhas meus tua teu gente pessoal cara mano eh ah hum hein assim agora hoje so somente apenas bem mal certo certa jeito coisas negocio trabalham trabalha trabalhar trabajan trabaja
    existe tipo algum alguma alguem coisa mesmo mesma entao tambem ate entre apos depois antes durante cada todo toda todos todas outro outra ainda porem mas menos ok vcs ces serve aceita aceitam""".split()
)
MEANINGS = """
acessivel acessibilidade cadeirante cadeira rodas rampa elevador deficiente wheelchair accessible accesible
estacionamento estacionar parar vaga vagas garagem manobrista parking park estacionar cochera estacionamiento autos
remarcar remarcacao mudar alterar trocar adiar reagendar transferir reschedule change cambiar postergar
gravida gestante gestantes gravidez amamentando pregnant embarazada
doi dor doer doendo sensibilidade machuca pain hurt hurts duele
medo ansiedade nervoso panico sedacao anestesia calmo acalmar fear afraid miedo
dente dentes implante implantes protese coroa tooth teeth diente dientes dentista odontologia odontopediatra
invisivel transparente transparentes discreto invisible
recibo nota reembolso fiscal invoice factura comprobante receipt
arrumar arruma consertar conserta conserto reparo reparos repair repairs fix fixed arreglar arreglo
pingando vazando vazamento vazamentos goteira infiltracao telhado teto encanamento leak roof gotera
chuva chove chover chovendo rain raining rains rainy lluvia llueve llover
frio calor aquecimento aquecedor calefaccion calefactor calefactores estufa ventilador ar condicionado heating cold
capacidade capacidad cabe cabem caben lugares pessoas personas invitados convidados lotacao gente entran entra recibe capacity guests seats people
reserva reservar sena sinal adiantado deposit deposito caucao entrada reservo reservamos booking book
celiaco celiaca gluten vegano vegana veganas vegetariano vegetariana vegetarianas dieta alergico alergica intolerancia kosher diet vegan vegetarian
comida menu prato platos cardapio comer catering cozinha cocina food meal
probar provar prova degustacion degustacao experimentar taste tasting
bebida bebidas vino vinho vinos cerveja cerveza refrigerante gaseosas tragos drink drinks wine beer descorche rolha
visita visitar visitas conhecer conocer ver tour show tours
somos empresa historia desde fundada aberta founded opened business since quienes quem anos fundado
longe alcance autonomia km quilometros range far distance
roubar roubo robo robaron steal steals stolen theft robado
furado furou pneu pneus puncture punctures flat tyre tyres tire pinchazo pinchada
capacete helmet helmets casco cascos lock cadeado candado
passaporte identidade identificacao passport identity id dni pasaporte card document documents
crianca criancas kids kid child children ninos nino nenes nene chicos bebe bebes baby years
devolver devolucao devuelven devolvemos devolve reembolsar refund money back arrepentir arrepiento arrependo
sair saio sair rescisao multa quebrar contrato antes prazo leave leaving
fiador fianca garantia garantias seguro caucao avalista aval
renda salario holerite holerites ganho ganhar comprovante comprovar extrato income ingreso ingresos
animal animais bicho bichos gato gatos gata cachorro cachorros pet pets cao caes mascota mascotas perro perros
temporada praia diaria veraneio rural sitio chacara
fotos foto fotografias fotografico imagens fotografo fotografa photographer photo photos
entrada financiamento financiar financia fgts caixa banco emprestimo mortgage loan
vence vencimento vencer dia boleto atrasar atraso atrasado juros multa late overdue
loja lojas filial filiais unidade unidades sucursal store stores shop shops
sapato sapatos calcado calcados roupa roupas moda shoe shoes clothes ropa zapatos
usuario usuarios funcionario funcionarios pessoas vendedora vendedoras equipe equipes users staff user
planilha planilhas excel importar importamos importacao migrar passar cadastrar produtos spreadsheet import
comissao porcentagem percentual taxa taxas percent commission comision
fiado crediario carne carnes promissoria credito parcelar
treinar treinam treinamento ensinar ensinam curso capacitacion training
seguro seguros seguranca protegido protegidos privacidade lgpd backup copia vazar safe secure security
offline internet conexao caiu cai wifi sem sinal online
impressora impressoras imprimir termica etiqueta etiquetas printer
micro onibus bus transporte transfer traslado van
festejar fiesta festa festas evento eventos party wedding boda bodas casamento cumpleanos aniversario salon salao
musica dj som sonido luz luces iluminacao band banda
grupo grupos group groups companies equipe turma
verao inverno summer winter verano invierno april october outubro abril
fim semana sabado domingo feriado weekend saturday sunday saturdays sundays mondays monday lunes martes miercoles jueves viernes sabados segunda terca quarta quinta sexta
hotel hoteis hotels bring deliver
kids seat seats silla assento cadeirinha
preco valor custo custa custam quanto caro barato mensalidade taxa tarifa cobra cobram cobrado price cost fee precio cuesta sai pago pagar paga
pagamento pagar pago pix boleto cartao credito debito dinheiro parcela parcelar vezes vencimento card payment tarjeta efectivo forma parcelado dividir divide
horario hora horas abre fecha aberto fechado funciona atendimento atende expediente plantao domingo sabado feriado open close hours abren cierran
endereco onde fica ficam ficamos estamos queda rua avenida donde where street ruta calle praca bairro local localizacao unidade address located ubicacion direccion cidade regiao
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
adiantar adiantamento adelantar adelanto anticipo anticipar sinal sena entrada deposit down upfront
recheio recheios sabor sabores sabor relleno rellenos flavour flavor flavours gosto
pequeno pequena menor minimo minima smallest small small smaller chico chica mini
grande maior maximo maxima largest biggest big large
carteira habilitacao habilitado habilitar cnh licencia license permis
tirar fazer sacar
juntar junto juntos acompanhar acompanha acompanhado together along
foto fotos picture pictures photographs photograph photos photo fotografia
vinho cerveja wine beer alcohol alcool alcoholic drinks bebida bebidas vino cerveza
alugar aluguel alugam locacao rent rental hire hiring alquilar alquiler arriendo renta
tingir tintura pintar pinta luzes coloracao quimica colorir dye tenir
rapido rapidez demorar responder resposta respondem reply answer answers responde fast quickly soon hours
vizinha vizinhas vizinho arredores proximidades regiao raio km alrededor nearby around
bimestral mensal mensalmente mes mensalidade mensuales mensual mensualidad month monthly
semanal semana semanas weekly week semanalmente quinzenal quinzena
guardar armazenar deposito store storage almacenar
sozinho sozinha individual particular privado privada single alone solo
compartilhado compartilhada dividir shared compartido
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
            and not lines[0].endswith((".", "!", ";") if len(lines) > 1 else (".", "!", "?", ";"))
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
        self._mean = sum(lengths) / max(len(self.passages), 1) or 1.0
        self._vocabulary = {word for p in self.passages for word in words_of(f"{p.heading} {p.text}")}

    def find(self, question: str, *, limit: int = 3) -> list[Hit]:
        """The best passages for a question, best first; empty when nothing of it is in any."""
        query = self._query(question)
        scored = self._ranked(query)
        if not scored:
            return []
        confidence = self._confidence(question, query)
        return [
            Hit(at, self.passages[at], score, confidence if place == 0 else confidence * score / scored[0][0])
            for place, (score, at) in enumerate(scored[:limit])
        ]

    def _query(self, question: str) -> list["Asked"]:
        words = words_of(level(question))
        asked = [self._spelled(word) for word in words if word not in EMPTY]
        asked = [word for word in asked if not word.isdigit()] or asked
        asked = [*asked, *_kind_words(question, asked)] or words
        return [(word, _word_terms(word), meanings(word)) for word in dict.fromkeys(asked)]

    def _ranked(self, query: list["Asked"]) -> list[tuple[float, int]]:
        scored = [(self._score(query, at), at) for at in range(len(self.passages))]
        return sorted(((score, at) for score, at in scored if score > 0), key=lambda item: (-item[0], item[1]))

    def _spelled(self, word: str) -> str:
        """The word these passages, or customers in general, use where somebody has mistyped one."""
        if len(word) < SHORTEST_CORRECTED or word.isdigit() or f"={stem(word)}" in self._rarity or meanings(word):
            return word
        alike = [
            known
            for known in (self._vocabulary | _meant_words())
            if known[0] == word[0] and abs(len(known) - len(word)) <= 1 and len(known) >= SHORTEST_CORRECTED
        ]
        return next(iter(get_close_matches(word, sorted(alike), n=1, cutoff=ALIKE)), word)

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

    def _confidence(self, question: str, query: list["Asked"]) -> float:
        """That the question is answered: a logistic model (`training.answerable` fits its weights)."""
        fitted = _fitted()
        buckets, values = hashed(self.phrasing(question, query=query))
        told = np.array(self.features(question, query=query))
        raw = fitted.bias + float(told @ fitted.features) + float(values @ fitted.phrasing[buckets])
        return 1.0 / (1.0 + math.exp(-min(max(raw, -30.0), 30.0)))

    def phrasing(self, question: str, *, query: list["Asked"] | None = None) -> list[str]:
        """How the question is put, and what kinds of thing the sentence nearest to it says, by name."""
        query = self._query(question) if query is None else query
        words = re.findall(r"[a-z]+", level(question))
        said = [f"q:{word[:STEM]}" for word in words]
        said += [f"b:{one[:STEM]} {word[:STEM]}" for one, word in zip(["<", *words], words, strict=False)]
        ranked = self._ranked(query)
        if not ranked:
            return said
        rarity = [self._rarity.get(own[0], self._unseen) for _, own, _ in query]
        levels, sentence = max(
            ((self._levels(query, terms, self._fields[at][1]), sentence)
             for _, at in ranked[:LIMIT] for terms, sentence in zip(self._single[at], self._sentences[at], strict=True)),
            key=lambda item: sum(one * rare for one, rare in zip(item[0], rarity, strict=True)),
        )  # fmt: skip
        near = level(sentence)
        has = [name for name, pattern in SAYS.items() if pattern.search(near)]
        said += [f"h:{name}" for name in has]
        said += [f"x:{word[:STEM]}|{name}|{name in has}" for word in words[:FIRST_WORDS] for name in SAYS]
        for (word, *_), found in zip(query, levels, strict=True):
            if found < MISSED or found >= EXACT:
                said.append(f"{'f' if found >= EXACT else 'm'}:{stem(word)}")
        return said

    def features(self, question: str, *, query: list["Asked"] | None = None) -> list[float]:
        """What `confidence` is made of: see FEATURES. All between about 0 and 1; zeros when nothing is found."""
        query = self._query(question) if query is None else query
        ranked = self._ranked(query)
        if not ranked:
            return [0.0] * len(FEATURES)
        best = max(
            ((self._levels(query, window, self._fields[at][1]), at, place)
             for _, at in ranked[:2] for place, window in enumerate(self._windows[at])),
            key=lambda item: sum(item[0]),
        )  # fmt: skip
        levels, at, place = best
        plain = level(question)
        near = level(" ".join(self._sentences[at][max(0, place - 1) : place + 2]))
        whole = level(f"{self.passages[at].heading} {self.passages[at].text}")
        wanted = [answer for asks, answer in KINDS if asks.search(plain)]
        novel = sum(
            not any(term in self._rarity for term in (*own[:1], *meant)) for _, own, meant in query
        )  # fmt: skip
        first = ranked[0][0]
        rarity = sum(self._rarity.get(own[0], self._unseen) for _, own, _ in query)
        return [
            sum(levels) / len(levels),
            1.0 - min(levels),
            sum(1.0 - one for one in levels) / 4,
            novel / len(query),
            sum(one >= EXACT for one in levels) / len(levels),
            float(bool(wanted) and all(answer.search(near) for answer in wanted)),
            float(bool(wanted) and not all(answer.search(whole) for answer in wanted)),
            self._kind_coverage(query, wanted, [at for _, at in ranked[:2]]) if wanted else 0.0,
            float(bool(wanted)),
            (first - (ranked[1][0] if len(ranked) > 1 else 0.0)) / first,
            min(first / rarity, 4.0) / 4,
            min(len(query), 8) / 8,
        ]

    def _kind_coverage(self, query: list["Asked"], wanted: list[re.Pattern[str]], best: list[int]) -> float:
        """How much of the question stands in the one sentence that says the kind of thing asked for."""
        return max(
            (
                sum(self._levels(query, terms, self._fields[at][1])) / len(query)
                for at in best
                for terms, sentence in zip(self._single[at], self._sentences[at], strict=True)
                if all(answer.search(level(sentence)) for answer in wanted)
            ),
            default=0.0,
        )

    def _levels(self, query: list["Asked"], terms: Counter[str], heading: Counter[str]) -> list[float]:
        """For each word asked how surely it is there: 1 the word itself, less one alike, one of its meaning, 0 not."""
        return [max(self._level(word, terms), HEADING_LEVEL * self._level(word, heading)) for word in query]

    def _level(self, word: "Asked", terms: Counter[str]) -> float:
        _, own, meant = word
        if own[0] in terms:
            return 1.0
        grams = [term for term in own if term[0] == "~"]
        alike = sum(term in terms for term in grams) / (len(grams) or 1)
        same = MEANING if any(term in terms for term in meant) else 0.0
        return max(alike if alike > LIKE_ENOUGH else 0.0, same)


Asked = tuple[str, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Fitted:
    """The weights of `Index.confidence`, as `training.answerable` writes them."""

    bias: float
    features: NDArray[np.float32]
    phrasing: NDArray[np.float32]


@lru_cache(maxsize=1)
def _fitted() -> Fitted:
    with np.load(WEIGHTS) as stored:
        phrasing = np.zeros(BUCKETS, dtype=np.float32)
        phrasing[stored["rows"]] = stored["phrasing"]
        return Fitted(float(stored["bias"]), stored["features"], phrasing)


def hashed(names: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Buckets and values of names, each bucket once; their squares add up to that of `PHRASING`."""
    counts = Counter(crc32(name.encode()) % BUCKETS for name in names)
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    buckets = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    return buckets, np.fromiter((PHRASING * n / length for n in counts.values()), dtype=np.float32, count=len(counts))


def stored_terms(heading: str, text: str) -> list[str]:
    """What a passage is found by among many: beginnings of its words, their meanings and trigrams. Bounded, sorted."""
    words = [word for word in dict.fromkeys(words_of(f"{heading} {text}")) if word not in EMPTY]
    kept: dict[str, None] = {}
    for pick in (_firsts, meanings, _trigrams):
        for word in words:
            kept.update(dict.fromkeys(pick(word)))
    return sorted(list(kept)[:MOST_TERMS])


def query_terms(question: str) -> dict[str, float]:
    """The terms to look for, each with what sharing it counts."""
    words = [word for word in dict.fromkeys(words_of(level(question))) if word not in EMPTY][:MOST_WORDS]
    words = [*words, *_kind_words(question, words)] or words_of(level(question))[:MOST_WORDS]
    wanted: dict[str, float] = {}
    for word in words:
        grams = _trigrams(word)
        for term, weight in (
            *((term, 1.0) for term in _firsts(word)),
            *((term, MEANING) for term in meanings(word)),
            *((term, 1 / len(grams)) for term in grams),
        ):
            wanted[term] = max(weight, wanted.get(term, 0.0))
    return wanted


def _kind_words(question: str, asked: Sequence[str]) -> list[str]:
    """The word for what is asked by a question that has none ("where are you?"): the place, or the hours."""
    plain = level(question)
    meant = {term for word in asked for term in meanings(word)}
    return [
        word for word, place in KIND_WORDS.items() if KINDS[place][0].search(plain) and not meant & set(meanings(word))
    ]


def _firsts(word: str) -> tuple[str, ...]:
    return (f"={stem(word)}",)


def _trigrams(word: str) -> tuple[str, ...]:
    padded = f"<{word}>"
    return tuple(f"~{padded[at : at + 3]}" for at in range(len(padded) - 2)) if len(word) > 2 else ()


def words_of(text: str) -> list[str]:
    """Words and numbers of a text, levelled, in order."""
    return re.findall(r"[a-z]+|\d+", level(text))  # "6kg" is a number and a unit


@lru_cache(maxsize=8192)
def _word_terms(word: str) -> tuple[str, ...]:
    """The beginning of the word, and its character n-grams."""
    padded = f"<{word}>"
    grams = (
        [f"~{padded[i : i + size]}" for size in GRAMS for i in range(len(padded) - size + 1)] if len(word) > 2 else []
    )
    return (f"={stem(word)}", *grams)


def stem(word: str) -> str:
    """The beginning of a word without the endings of number and gender, so far as they can be told."""
    word = word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
    for ending in ENDINGS:
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            word = word[: -len(ending)]
            break
    return word[:STEM]


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for number, line in enumerate(MEANINGS):
        for word in line.split():
            if number not in (places := found.setdefault(stem(word), [])):
                places.append(number)
    return {word: tuple(places) for word, places in found.items()}


@lru_cache(maxsize=1)
def _meant_words() -> frozenset[str]:
    return frozenset(word for line in MEANINGS for word in line.split())


@lru_cache(maxsize=8192)
def meanings(word: str) -> tuple[str, ...]:
    """Terms of the groups of words of one meaning that a levelled word belongs to; none for most."""
    return tuple(f"#{group}" for group in _groups().get(stem(word), ()))


def _terms(text: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for word in words_of(text):
        if word in EMPTY:
            continue
        counted.update(_word_terms(word))
        counted.update(meanings(word))
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


PRICE = r"r\$|us\$|\$ ?\d|€|£|gratis|gratuit|\bfree\b|de graca|sem custo|sin costo|sin cargo|inclus[oa]|inclu(?:id|ded)|\d+ ?%|\breais\b|descontad|por nossa conta|mitad|no pagan"
CLOCK = (
    r"\b\d{1,2} ?h\b|\d{1,2}h\d\d|\d{1,2}:\d\d|\b\d{1,2} ?[ap]m\b|24 horas|meio-dia|\bde \d{1,2} a \d{1,2}\b|\ba las \d"
)
PLACE = r"\brua\b|\bav\b|avenida|bairro|rodovia|\bruta\b|street|next to|\bcalle\b|quilometro|kilometro|\bkm\b|endereco|\bsala \d|praca|\bcentro\b|unidade|cidade|regiao|\ben [A-Z]"
LENGTH = r"\d+ ?(?:dias|horas|meses|anos|minutos|semanas|hours|days|weeks|months|minutes|years)|(?:um|dois|duas|tres|quatro|cinco|seis|sete|oito|dez|doze|two|three|four|five|six|seven|ten) (?:dias|horas|meses|anos|minutos|semanas|hours|days|weeks|months|minutes|years)|mesmo dia|same day|while you wait|na hora"
KINDS = (
    (re.compile(r"\b(?:(?:quanto|qto|qnto|qt|cuanto) (?:\w+ )?(?:custa\w*|e|eh|fica|sai|ta|cobra\w*|pago|pagamos|vale|valem|sale|salen|cuesta\w*|es|cobran)|qual (?:e )?(?:o )?(?:valor|preco)|preco|valor|precio|how much|prices?|fee|mensalidade)\b"), re.compile(PRICE)),
    (re.compile(r"\b(?:(?:que|q|qual|qual o|qual e o|a que|hasta que|ate que|ate q) horas?|hora\w* de|que horario|horarios?|abre\w*|abri\w*|fecha\w*|what time|opening hours|close[sd]?|cierran?)\b"), re.compile(CLOCK)),
    (re.compile(r"\b(?:qual (?:e )?o nome|(?:quem|quien(?:es)?|who) (?:e|eh|es|sao|son|da|vai|faz|is|are|criou)|como (?:se )?(?:chama|llama))\b"), re.compile(r"\bdra?\b|doutor|coordena|diret|responsavel|equipe|profission|professor|veterinari|tecnic|irma|hermana|sisters?|founder|fundad|dono|duen")),
    (re.compile(r"\b(?:quantos|quantas|cuantos|cuantas|how many)\b"), re.compile(r"\d|\b(?:dois|duas|tres|quatro|cinco|seis|sem limite|unlimited|dos|two|three)\b")),
    (re.compile(r"\b(?:onde (?:fica|e|eh|voces|vcs)|endereco|qual (?:a )?rua|where (?:are|is|do)|donde (?:queda|esta\w*|es)|direccion|address)\b"), re.compile(PLACE)),
    (re.compile(r"\b(?:(?:quanto|qto|cuanto) tempo|cuanto (?:tarda|demora|dura)\w*|how (?:long|many days)|quantos (?:dias|meses|anos)|demora\w*)\b"), re.compile(LENGTH)),
    (re.compile(r"\b(?:marca|modelo|brand|banco)\b(?! \w*(?:r|cao)\b)"), re.compile(r"\bmarca|\bbrand|\bmodelo|\bbanco|stone|cielo|itau|caixa")),
    (re.compile(r"\b(?:desconto|descuento|discount)\b"), re.compile(r"descont|descuent|\d+ ?%|discount|\boff\b|gratis|free")),
)  # fmt: skip
KIND_WORDS = {"horario": 1, "endereco": 4}  # by the place in KINDS
SAYS = {
    "money": re.compile(PRICE), "clock": re.compile(CLOCK), "place": re.compile(PLACE), "length": re.compile(LENGTH),
    "number": re.compile(r"\d"), "share": re.compile(r"%"),
    "no": re.compile(r"\b(?:nao|nem|nunca|not|no|n't|sem|sin|without|only|so|solo|except|never|don't|doesn't|can't)\b"),
    "day": re.compile(
        r"segunda|terca|quarta|quinta|sexta|sabado|domingo|lunes|martes|miercoles|jueves|viernes|\b\w+days?\b|dias uteis"
    ),
}  # fmt: skip
