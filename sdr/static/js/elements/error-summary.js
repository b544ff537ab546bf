// <error-summary> inside a form that came back with errors: focus goes to the first field at fault, or to the summary when no field is.
class ErrorSummary extends HTMLElement {
  connectedCallback() {
    const field = this.closest("form, main")?.querySelector("[aria-invalid=true]:not([type=hidden])")
    const target = field ?? this.querySelector("[tabindex]")
    target?.focus({ preventScroll: true })
    target?.scrollIntoView({ block: "center" })
  }
}

customElements.define("error-summary", ErrorSummary)
