// <request-trouble> holds the words for a request of htmx that failed, in <template>s: data-for="error" (answered badly) and "network" (no answer).
class RequestTrouble extends HTMLElement {
  connectedCallback() {
    document.addEventListener("htmx:responseError", this.#failed)
    document.addEventListener("htmx:sendError", this.#unreachable)
    document.addEventListener("htmx:timeout", this.#unreachable)
  }

  disconnectedCallback() {
    document.removeEventListener("htmx:responseError", this.#failed)
    document.removeEventListener("htmx:sendError", this.#unreachable)
    document.removeEventListener("htmx:timeout", this.#unreachable)
  }

  #failed = () => this.#say("error")
  #unreachable = () => this.#say("network")

  #say(kind) {
    const words = this.querySelector(`template[data-for=${kind}]`)
    document.getElementById("flashes-urgent")?.replaceChildren(words.content.cloneNode(true))
  }
}

customElements.define("request-trouble", RequestTrouble)
