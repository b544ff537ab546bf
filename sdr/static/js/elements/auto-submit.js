// <auto-submit> around the fields of a form: a change sends it. A submit button inside serves readers without scripts.
class AutoSubmit extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", this.#submit)
    this.querySelectorAll("button[type=submit]").forEach((button) => { button.hidden = true })
  }

  disconnectedCallback() {
    this.removeEventListener("change", this.#submit)
  }

  #submit = (event) => {
    if (event.target.form?.reportValidity()) event.target.form.requestSubmit()
  }
}

customElements.define("auto-submit", AutoSubmit)
