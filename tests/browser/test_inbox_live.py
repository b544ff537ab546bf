"""What happens elsewhere is on the screen by itself, and nothing that somebody does is disturbed by it."""

from collections.abc import Callable

from playwright.sync_api import expect

from orgs.demo import DEMO_EMAIL, HELENA
from tests.browser.desk import INBOX, answer, bubble, open_conversation
from tests.browser.harness import PHONE, Visitor
from tests.browser.phones import ANSWER_MS, new_lead

Make = Callable[..., Visitor]


def test_two_windows_show_the_same_without_a_reload(visitor: Make) -> None:
    one, other = visitor(), visitor()
    one.sign_in(DEMO_EMAIL)
    other.sign_in(HELENA.email)
    lead = new_lead(visitor())
    lead.write("Oi")
    ours, theirs = open_conversation(one, lead), open_conversation(other, lead)
    lead.write("Chegou a conta de luz")
    for page in (ours, theirs):
        expect(bubble(page, "Chegou a conta")).to_be_visible(timeout=ANSWER_MS)
    answer(ours, "Vi agora, obrigada")
    expect(bubble(theirs, "Vi agora, obrigada")).to_be_visible(timeout=ANSWER_MS)
    expect(theirs.locator("#desk-thread .thread__header")).to_contain_text("Marina", timeout=ANSWER_MS)


def test_what_is_typed_outlives_news_errors_and_reloads(visitor: Make) -> None:
    owner = visitor()
    owner.sign_in(DEMO_EMAIL)
    lead = new_lead(visitor())
    lead.write("Oi")
    page = open_conversation(owner, lead)
    box = page.locator("#composer #id_text")
    box.fill("Ainda estou escrevendo esta")
    lead.write("Esqueci de dizer: é para casa")
    expect(bubble(page, "é para casa")).to_be_visible(timeout=ANSWER_MS)
    expect(box).to_have_value("Ainda estou escrevendo esta")
    page.reload()
    expect(page.locator("#composer #id_text")).to_have_value("Ainda estou escrevendo esta")
    owner.go(INBOX)
    page = open_conversation(owner, lead)
    expect(page.locator("#composer #id_text")).to_have_value("Ainda estou escrevendo esta")
    page.context.set_offline(True)
    page.locator("#composer #id_text").press("Enter")
    expect(page.locator("connection-state")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("connection-state")).to_be_hidden(timeout=ANSWER_MS)
    expect(page.locator("#composer #id_text")).to_have_value("Ainda estou escrevendo esta")
    page.locator("#composer #id_text").press("Enter")
    lead.expect_text("Ainda estou escrevendo esta")
    assert lead.texts().count("Ainda estou escrevendo esta") == 1
    expect(page.locator("#composer #id_text")).to_have_value("")
    page.reload()
    expect(page.locator("#composer #id_text")).to_have_value("")
    owner.objections[:] = [one for one in owner.objections if "console: htmx:" not in one]  # about the missing network


def test_one_pane_at_a_time_on_a_phone(visitor: Make) -> None:
    owner = visitor(size=PHONE, has_touch=True)
    owner.sign_in(DEMO_EMAIL)
    lead = new_lead(visitor())
    lead.write("Oi pelo celular")
    page = open_conversation(owner, lead)
    expect(page.locator("#desk-list")).to_be_hidden()
    expect(page.locator("#composer")).to_be_in_viewport()
    page.click("#panel-toggle")
    expect(page.locator("#desk-panel")).to_be_visible()
    page.click("#panel-close")
    page.click("#conversation-back")
    expect(page.locator("#desk-list")).to_be_visible()
    expect(page.locator("#desk-thread")).to_be_hidden()
