// <enter-sends> around a <textarea>: Enter presses the form's first button, Shift+Enter breaks the line. Not while an input method composes.
class EnterSends extends HTMLElement {
  connectedCallback() {
    this.addEventListener("keydown", this.#key)
  }

  disconnectedCallback() {
    this.removeEventListener("keydown", this.#key)
  }

  #key = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    const form = event.target.form
    const button = form?.querySelector("button[type=submit]")
    if (!button) return
    event.preventDefault()
    form.requestSubmit(button)
  }
}

customElements.define("enter-sends", EnterSends)
