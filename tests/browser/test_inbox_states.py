"""What a conversation and the list can look like (FIELD 4.2): each state is brought about for real, and looked at."""

from collections.abc import Callable

from playwright.sync_api import expect

from orgs.demo import DEMO_EMAIL, DUARTE, HELENA
from tests.browser.desk import INBOX, answer, bubble, choose_mode, open_conversation
from tests.browser.harness import Visitor, look
from tests.browser.phones import ANSWER_MS, new_lead

Make = Callable[..., Visitor]


def owner_of(visitor: Make) -> Visitor:
    person = visitor()
    person.sign_in(DEMO_EMAIL)
    person.choose_language("en")
    return person


def test_a_person_takes_over_answers_and_gives_back(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Oi, quanto custa um sistema para a minha padaria?")
    page = open_conversation(owner, lead)
    lead.expect_answers(1)
    expect(page.locator("#take-over")).to_be_visible()
    answer(page, "Aqui é a Marina, pode deixar comigo.")
    lead.expect_text("Aqui é a Marina")
    expect(page.locator("#give-back")).to_be_visible(timeout=ANSWER_MS)
    answers = len(lead.texts())
    lead.write("Que bom, Marina!")
    expect(bubble(page, "Que bom, Marina!")).to_be_visible(timeout=ANSWER_MS)
    assert len(lead.texts()) == answers, "the AI spoke although a person has the conversation"
    page.click("#give-back")
    expect(page.locator("#take-over")).to_be_visible()
    page.reload()
    expect(page.locator("#take-over")).to_be_visible()
    look(owner)


def test_messages_of_every_kind(visitor: Make) -> None:
    """Voice note, picture, document, place; a change, a deletion, an answer to a message, a reaction."""
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Bom dia")
    page = open_conversation(owner, lead)
    page.click("#take-over")
    expect(page.locator("#give-back")).to_be_visible(timeout=ANSWER_MS)
    for kind, shown in (("voice", "audio"), ("image", "img.bubble__image"), ("document", ".bubble__document")):
        lead.press(kind)
        expect(page.locator(f"#desk-thread .bubble {shown}").first).to_be_visible(timeout=ANSWER_MS)
    lead.press("location")
    expect(page.locator("#desk-thread .bubble a[href*='map']").first).to_be_visible(timeout=ANSWER_MS)
    lead.write("Isto vou mudar")
    lead.own.filter(has_text="Isto vou mudar").get_by_role("link").last.click()
    lead.page.fill("#phone-edit", "Isto mudei")
    lead.page.click("button[value=edit]")
    expect(bubble(page, "Isto mudei")).to_be_visible(timeout=ANSWER_MS)
    lead.write("Isto vou apagar")
    expect(bubble(page, "Isto vou apagar")).to_be_visible(timeout=ANSWER_MS)
    lead.own.filter(has_text="Isto vou apagar").get_by_role("link").last.click()
    lead.page.click("button[value=delete]")
    expect(bubble(page, "This message was deleted.")).to_be_visible(timeout=ANSWER_MS)
    answer(page, "Recebi tudo, obrigada!")
    lead.expect_text("Recebi tudo")
    lead.received.filter(has_text="Recebi tudo").get_by_role("link").first.click()
    lead.write("De nada")
    expect(bubble(page, "De nada").locator(".bubble__quote")).to_contain_text("Recebi tudo", timeout=ANSWER_MS)
    lead.received.filter(has_text="Recebi tudo").locator(".bubble__react").click()
    expect(page.locator("#desk-thread .bubble__reaction").first).to_be_visible(timeout=ANSWER_MS)
    look(owner)


def test_a_message_that_whatsapp_refuses_can_be_tried_again(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Oi")
    page = open_conversation(owner, lead)
    page.click("#take-over")
    expect(page.locator("#give-back")).to_be_visible(timeout=ANSWER_MS)
    lead.refuse_the_next("rejected")
    page.fill("#composer #id_text", "Esta será recusada")
    page.keyboard.press("Enter")
    refused = bubble(page, "Esta será recusada")
    expect(refused.locator(".bubble__why").first).to_contain_text("WhatsApp refused it", timeout=ANSWER_MS)
    look(owner)
    refused.get_by_role("button", name="Try again").click()
    lead.expect_text("Esta será recusada")


def test_a_draft_waits_for_approval(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    choose_mode(owner, "drafts")
    try:
        lead.write("Vocês atendem em Valinhos?")
        page = open_conversation(owner, lead)
        draft = page.locator("#desk-thread .bubble--draft").first
        expect(draft).to_be_visible(timeout=ANSWER_MS)
        assert lead.texts() == []
        look(owner)
        page.set_viewport_size({"width": 1280, "height": 800})
        draft.get_by_role("button", name="Approve and send").click()
        lead.expect_answers(1)
    finally:
        choose_mode(owner, "all")


def test_snoozed_closed_and_open_again(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Oi")
    page = open_conversation(owner, lead)
    lead.expect_answers(1)
    page.click("#lifecycle")
    page.click("#snooze")
    standing = page.locator("[id$='-standing']")
    expect(standing).to_be_visible(timeout=ANSWER_MS)
    page.click("#lifecycle")
    page.click("#close")
    expect(page.locator("#reopen")).to_be_visible(timeout=ANSWER_MS)
    look(owner)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.click("#reopen")
    expect(page.locator("#lifecycle")).to_be_visible(timeout=ANSWER_MS)


def test_somebody_who_asked_to_be_left_alone(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Não quero mais receber mensagens, me tirem da lista")
    page = open_conversation(owner, lead)
    expect(page.locator("#desk-thread")).to_contain_text("asked to be left alone", timeout=ANSWER_MS)
    lead.expect_answers(1)
    look(owner)


def test_the_number_is_cut_off_and_comes_back(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Oi")
    lead.expect_answers(1)
    lead.cut_off()
    try:
        page = owner.go(INBOX)
        expect(page.locator(".banner--negative:not([hidden])").first).to_be_visible(timeout=ANSWER_MS)
        look(owner)
    finally:
        lead.connect_again()
    owner.page.set_viewport_size({"width": 1280, "height": 800})
    open_conversation(owner, lead)


def test_the_red_switch_silences_the_ai_and_lets_people_write(visitor: Make) -> None:
    owner, lead = owner_of(visitor), new_lead(visitor())
    lead.write("Oi")
    lead.expect_answers(1)
    page = open_conversation(owner, lead)
    owner.go(f"{INBOX}pause/")
    owner.submit("main form")
    try:
        count = len(lead.texts())
        lead.write("Tem alguém?")
        page = open_conversation(owner, lead)
        expect(page.locator("#desk-thread .thread__need").first).to_be_visible(timeout=ANSWER_MS)
        answer(page, "Estou aqui")
        lead.expect_text("Estou aqui")
        assert len(lead.texts()) == count + 1
        look(owner)
    finally:
        page = owner.go(INBOX)
        page.locator("form[action$='/pause/end/'] button").first.click()
        expect(page.locator("form[action$='/pause/end/']")).to_have_count(0, timeout=ANSWER_MS)


def test_lists_without_rows_say_why(visitor: Make) -> None:
    owner = owner_of(visitor)
    page = owner.go(f"{INBOX}?show=all&q=zzzzqqqq")
    expect(page.locator("#desk-list")).to_contain_text("Nothing found")
    look(owner)
    page.get_by_role("link", name="Clear search and filters").click()
    expect(page.locator(".inbox__row").first).to_be_visible()
    owner.go(f"/o/{DUARTE.slug}/inbox/")
    expect(page.locator("#desk-list .blank-slate, #desk-list").first).to_be_visible()
    look(owner)


def test_a_viewer_reads_and_cannot_write(visitor: Make) -> None:
    lead = new_lead(visitor())
    lead.write("Oi, sou cliente novo")
    viewer = visitor()
    viewer.sign_in(HELENA.email)
    page = open_conversation(viewer, lead)
    expect(bubble(page, "sou cliente novo")).to_be_visible(timeout=ANSWER_MS)
    for control in ("#composer", "#take-over", "#lifecycle"):
        expect(page.locator(control)).to_have_count(0)
    look(viewer)


def test_a_conversation_that_does_not_exist(visitor: Make) -> None:
    owner = owner_of(visitor)
    page = owner.go(f"{INBOX}999999/")
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("#desk-thread")).to_have_count(0)
    look(owner)
