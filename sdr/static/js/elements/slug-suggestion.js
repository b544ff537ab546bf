// <slug-suggestion from="id" to="id"> around a form: while the address is empty or still ours, it follows the name.
// The server makes the same from an empty address, so nothing depends on this.
const MAX_CHARS = 48

class SlugSuggestion extends HTMLElement {
  #ours = ""

  connectedCallback() {
    this.addEventListener("input", this.#follow)
  }

  disconnectedCallback() {
    this.removeEventListener("input", this.#follow)
  }

  #follow = (event) => {
    const target = document.getElementById(this.getAttribute("to"))
    if (event.target.id !== this.getAttribute("from") || !target || target.value !== this.#ours) return
    this.#ours = slugOf(event.target.value)
    target.value = this.#ours
  }
}

function slugOf(name) {
  const letters = name.normalize("NFKD").replace(/[^\x00-\x7f]/g, "").toLowerCase()
  return letters.replace(/[^a-z0-9]+/g, "-").slice(0, MAX_CHARS).replace(/^-+|-+$/g, "")
}

customElements.define("slug-suggestion", SlugSuggestion)
