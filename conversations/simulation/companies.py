"""The companies that simulated leads write to: what they know, what they sell, what they ask. All invented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Price:
    """A row of a catalogue whose price may be told. `amount` in BRL per month."""

    name: str
    amount: Decimal
    conditions: str = ""


@dataclass(frozen=True)
class Company:
    """A business as its own people describe it. `faq` and `questions` by language; `language` is its own."""

    slug: str
    name: str
    language: str
    business: str
    disclosure: str
    faq: Mapping[str, Sequence[tuple[str, str]]]
    prices: Sequence[Price] = ()
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    objections: Sequence[Mapping[str, str]] = ()


ROTA = Company(
    slug="rota-clara",
    name="Rota Clara",
    language="pt-br",
    business="A Rota Clara junta pedidos de WhatsApp, telefone e balcão numa lista só e organiza as entregas do dia.",
    disclosure="Olá! Aqui fala a assistente virtual, time Rota Clara. Se preferir uma pessoa da equipe, é só avisar.",
    faq={
        "pt-br": (
            ("Funciona no celular?", "A Rota Clara funciona no celular e no computador, pelo navegador."),
            ("Quanto tempo leva a implantação?", "A implantação leva 2 dias úteis e é feita junto com a nossa equipe."),
            ("Tem contrato de fidelidade?", "O plano é mensal e não tem fidelidade."),
            ("Dá para importar meus clientes?", "A lista de clientes entra por uma planilha, sem custo."),
            ("Tem treinamento?", "O treinamento é on-line e dura 1 hora."),
        ),
        "en": (
            ("Does it work on a phone?", "Rota Clara works on phones and computers, in the browser."),
            ("How long does the setup take?", "The setup takes 2 working days, together with our team."),
            ("Is there a long contract?", "The plan is monthly and there is no minimum term."),
            ("Can I import my customers?", "Your customer list is imported from a spreadsheet at no charge."),
            ("Is there training?", "The training is online and takes 1 hour."),
        ),
        "es": (
            ("¿Funciona en el celular?", "Rota Clara funciona en el celular y en la computadora, en el navegador."),
            ("¿Cuánto tarda la puesta en marcha?", "La puesta en marcha tarda 2 días hábiles, junto con el equipo."),
            ("¿Hay contrato de permanencia?", "El plan es mensual y no tiene permanencia."),
            ("¿Puedo importar mis clientes?", "La lista de clientes se importa de una planilla, sin costo."),
            ("¿Hay capacitación?", "La capacitación es en línea y dura 1 hora."),
        ),
    },
    prices=(Price("Essencial", Decimal(189), "até 3 usuários"), Price("Equipe", Decimal(349))),
)
SOL = Company(
    slug="ipe-solar",
    name="Ipê Solar",
    language="pt-br",
    business="A Ipê Solar projeta e instala painéis solares em casas e comércios do interior de São Paulo.",
    disclosure="Olá! Aqui é a Luma, assistente virtual da Ipê Solar. Se quiser falar com uma pessoa, é só pedir.",
    faq={
        "pt-br": (
            ("Quanto tempo demora a instalação?", "A instalação demora em média 4 dias depois do projeto aprovado."),
            ("Os painéis têm garantia?", "O fabricante dá 12 anos de garantia nos painéis."),
            ("Vocês fazem a vistoria?", "A vistoria é gratuita e feita por um técnico nosso."),
        ),
    },
    questions={
        "situation": (
            "É para a sua casa ou para um comércio?",
            "Quanto costuma vir a conta de luz?",
            "O imóvel é próprio ou alugado?",
            "O que mais consome energia aí?",
        ),
        "problem": (
            "O que mais pesa na conta de hoje?",
            "Aí tem queda de luz ou algum outro aperto com energia?",
        ),
        "implication": (
            "Esse gasto já fez vocês deixarem alguma coisa de lado?",
            "Se a tarifa subir de novo, como fica o orçamento aí?",
        ),
        "need_payoff": (
            "Com a conta bem menor, o que mudaria para vocês?",
            "O que faria esse projeto valer a pena para você?",
        ),
    },
    objections=(
        {"about": "caro preço investimento alto", "answer": "Entendo. O projeto pode ser financiado pelo banco."},
    ),
)
COMPANIES = (ROTA, SOL)
