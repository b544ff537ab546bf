"""What Aurora Solar's AI knows in the demo: its profile, questions with answers, and the catalogue. All invented."""

from decimal import Decimal

from conversations import learning
from conversations.learning import Given
from conversations.models import Document, Product
from orgs.context import current_org
from orgs.models import Person

PROFILE = """Quem somos
A Aurora Solar projeta, vende e instala painéis solares em casas, comércios e sítios desde 2019.
Já são mais de 600 telhados.

Região de atendimento
Instalamos em Campinas e em cidades a até 80 km, como Valinhos, Vinhedo, Indaiatuba e Jundiaí.
Fora desse raio não instalamos.

Horário de atendimento
A equipe atende de segunda a sexta, das 9h às 18h. A assistente virtual responde a qualquer hora.

Endereço
Nosso escritório fica na Rua Barão de Jaguara, 901, sala 12, no centro de Campinas. Visitas com hora marcada.

Prazo
Do contrato ao sistema ligado são em média 45 dias: 10 de projeto, 2 de instalação e o restante da vistoria da CPFL.

Garantia
Os painéis têm 25 anos de garantia de produção do fabricante, o inversor tem 10 anos, e a nossa instalação, 2 anos.

Manutenção
Os painéis pedem uma limpeza por ano. Nós a fazemos por R$ 290 a visita, para sistemas de até 20 painéis.

Pagamento
À vista no Pix com 4% de desconto, no cartão em até 12 vezes sem juros. Há ainda
financiamento bancário em até 72 meses."""
QUESTIONS = (
    ("Quanto vou economizar na conta de luz?",
     "Um sistema do tamanho do seu consumo costuma reduzir a conta entre 80% e 90%. A taxa mínima da CPFL continua."),
    ("Funciona em dia de chuva ou nublado?",
     "Funciona, com menos produção. O projeto já conta com os dias nublados do ano."),
    ("E quando falta luz?",
     "Por segurança o sistema desliga quando falta luz. Com bateria, opcional, a casa continua com energia."),
    ("Meu telhado serve?",
     "Quase todo telhado de cerâmica, metal ou fibrocimento serve. Confirmamos na visita técnica, que é gratuita."),
    ("Vocês cuidam da papelada da CPFL?",
     "Sim. Projeto, pedido de acesso e vistoria ficam por nossa conta e estão no preço."),
    ("Atendem apartamento?",
     "Em apartamento só instalamos para o condomínio inteiro, com aprovação em assembleia."),
)  # fmt: skip
CATALOGUE = (
    ("Kit Casa 4", "4 painéis de 550 W com inversor, para contas de até R$ 250", "11900", "instalação incluída"),
    ("Kit Casa 8", "8 painéis de 550 W com inversor, para contas de até R$ 500", "19800", "instalação incluída"),
    ("Kit Comércio 20", "20 painéis de 550 W com inversor, para contas de até R$ 1.300", "46500", "com instalação"),
    ("Bateria de 5 kWh", "mantém geladeira, luzes e internet por cerca de 8 horas", "17400", "para novos sistemas"),
)  # fmt: skip
MADE_TO_MEASURE = ("Usina em solo", "projetos acima de 50 kWp em sítios e fazendas, sob orçamento")


def teach(person: Person) -> None:
    """Give the demo's org its knowledge, in the person's name. Inside the org; nothing where there is some already."""
    if Document.objects.exists():
        return
    language = current_org().language
    learning.add(Given(Document.Sort.PROFILE, language, title="Aurora Solar", text=PROFILE), person)
    for question, answer in QUESTIONS:
        learning.add(Given(Document.Sort.FAQ, language, title=question, text=answer), person)
    for name, description, price, conditions in CATALOGUE:
        learning.save_product(
            Product(name=name, description=description, price=Decimal(price), conditions=conditions, may_quote=True),
            person,
        )
    name, description = MADE_TO_MEASURE
    learning.save_product(Product(name=name, description=description), person)
