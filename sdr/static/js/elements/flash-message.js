// <flash-message>: can be dismissed; good news leaves by itself unless somebody is reading it. Trouble stays.
const STAY_MS = 8000

class FlashMessage extends HTMLElement {
  #timer

  connectedCallback() {
    this.querySelector("[data-dismiss]")?.addEventListener("click", this.#leave)
    if (this.hasAttribute("data-stay")) return
    this.addEventListener("pointerenter", this.#hold)
    this.addEventListener("pointerleave", this.#wait)
    this.addEventListener("focusin", this.#hold)
    this.addEventListener("focusout", this.#wait)
    this.#wait()
  }

  disconnectedCallback() {
    this.#hold()
  }

  #wait = () => {
    this.#hold()
    this.#timer = setTimeout(this.#leave, STAY_MS)
  }

  #hold = () => clearTimeout(this.#timer)

  #leave = () => {
    const hadFocus = this.contains(document.activeElement)
    this.remove()
    if (hadFocus) document.getElementById("main")?.focus({ preventScroll: true })
  }
}

customElements.define("flash-message", FlashMessage)
