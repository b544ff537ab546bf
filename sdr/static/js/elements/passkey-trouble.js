// <passkey-trouble hidden> holds the words for a passkey or security key that did not work; the library only reports it as an event.
class PasskeyTrouble extends HTMLElement {
  connectedCallback() {
    document.addEventListener("allauth.error", this.#show)
  }

  disconnectedCallback() {
    document.removeEventListener("allauth.error", this.#show)
  }

  #show = (event) => {
    event.preventDefault()
    this.hidden = false
    this.scrollIntoView({ block: "nearest" })
  }
}

customElements.define("passkey-trouble", PasskeyTrouble)
