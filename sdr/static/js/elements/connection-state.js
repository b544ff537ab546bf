// <connection-state hidden>: shows itself while the browser has no network.
class ConnectionState extends HTMLElement {
  connectedCallback() {
    window.addEventListener("online", this.#look)
    window.addEventListener("offline", this.#look)
    this.#look()
  }

  disconnectedCallback() {
    window.removeEventListener("online", this.#look)
    window.removeEventListener("offline", this.#look)
  }

  #look = () => { this.hidden = navigator.onLine }
}

customElements.define("connection-state", ConnectionState)
