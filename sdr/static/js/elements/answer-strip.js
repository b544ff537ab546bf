// <answer-strip> in the reply's form: which message is answered. A message's .bubble__answer link fills it; the button [data-answers] takes the lead's newest message, then the one before; Esc lets go.
class AnswerStrip extends HTMLElement {
  connectedCallback() {
    document.addEventListener("click", this.#press)
    this.closest("form").addEventListener("keydown", this.#escape)
    this.#button.hidden = false
    this.#button.addEventListener("click", this.#before)
  }

  disconnectedCallback() {
    document.removeEventListener("click", this.#press)
  }

  get #button() { return this.closest("form").querySelector("[data-answers]") }
  get #input() { return this.querySelector("input[name=quoted]") }

  #press = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    if (event.target.closest?.("[data-drop]") && this.contains(event.target)) {
      event.preventDefault()
      this.#drop()
    }
    const link = event.target.closest?.(".bubble__answer")
    if (!link) return
    event.preventDefault()
    this.#take(link.closest(".bubble"))
  }

  #before = () => {
    const theirs = [...document.querySelectorAll(".bubble:not(.bubble--own)")].filter((one) => one.querySelector(".bubble__answer"))
    const at = theirs.findIndex((one) => one.id === `message-${this.#input.value}`)
    const next = at > 0 ? theirs[at - 1] : theirs.at(-1)
    if (next) this.#take(next)
  }

  #escape = (event) => {
    if (event.key !== "Escape" || this.hidden || event.defaultPrevented) return
    event.preventDefault()
    this.#drop()
  }

  #take(bubble) {
    this.#input.value = bubble.id.replace("message-", "")
    this.querySelector("[data-by]").textContent = bubble.querySelector(":scope > .bubble__from").textContent
    const words = bubble.querySelector(".bubble__text, .bubble__transcript q, .bubble__kind, .bubble__document-name")
    this.querySelector("[data-words]").textContent = words?.textContent.trim().slice(0, 120) ?? ""
    this.hidden = false
    document.querySelector("write-tabs")?.show("reply")
  }

  #drop() {
    this.#input.value = ""
    this.hidden = true
    this.closest("form").querySelector("textarea").focus()
  }
}

customElements.define("answer-strip", AnswerStrip)
