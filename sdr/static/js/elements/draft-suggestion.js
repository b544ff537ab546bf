// <draft-suggestion url="…"> around a button: asks for a draft. Into an empty field it is put at once, beside typed words it waits to be chosen. Nothing is sent.
import { insert } from "lib/typing"

class DraftSuggestion extends HTMLElement {
  #before = ""

  connectedCallback() {
    this.addEventListener("click", this.#ask)
    this.#form.addEventListener("click", this.#act)
  }

  disconnectedCallback() {
    this.#form?.removeEventListener("click", this.#act)
  }

  get #form() { return this.closest("form") }
  get #field() { return this.#form.querySelector("textarea") }
  get #button() { return this.querySelector("button") }
  get #region() { return document.getElementById("composer-suggestion") }

  #ask = async (event) => {
    event.preventDefault()
    if (this.#button.getAttribute("aria-busy") === "true") return
    this.#button.setAttribute("aria-busy", "true")
    try {
      const token = this.#form.elements.csrfmiddlewaretoken.value
      const answer = await fetch(this.getAttribute("url"), { method: "POST", headers: { "X-CSRFToken": token, "HX-Request": "true" }, redirect: "manual" })
      if (!this.isConnected) return
      if (!answer.ok && answer.status !== 429) throw new Error(String(answer.status))
      this.#show(new DOMParser().parseFromString(await answer.text(), "text/html"), answer.status)
    } catch {
      document.dispatchEvent(new CustomEvent("htmx:sendError"))
    } finally {
      this.#button.removeAttribute("aria-busy")
    }
  }

  #show(answer, status) {
    if (status === 429) {
      this.#region.replaceChildren(Object.assign(document.createElement("p"), { textContent: answer.body.textContent.trim() }))
      this.#region.hidden = false
      return
    }
    this.#region.replaceChildren(...answer.getElementById("composer-suggestion").childNodes)
    this.#region.hidden = false
    if (!this.#draft) return
    if (this.#field.value.trim()) this.#ways("choice")
    else this.#put(this.#draft, 0)
  }

  get #draft() { return this.#region.querySelector("[data-draft]")?.textContent.trim() ?? "" }

  #ways(name) {
    this.#region.querySelector("[data-choice]").hidden = name !== "choice"
    this.#region.querySelector("[data-act=undo]").hidden = name !== "undo"
    this.#region.querySelector("[data-draft]").hidden = name !== "choice"
  }

  #put(text, start) {
    this.#before = this.#field.value
    insert(this.#field, text, start, this.#field.value.length)
    this.#ways("undo")
  }

  #act = (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act
    const typed = this.#field.value
    if (act === "replace") this.#put(this.#draft, 0)
    if (act === "add") this.#put(`${typed.endsWith("\n") ? "" : "\n"}${this.#draft}`, typed.length)
    if (act === "undo") insert(this.#field, this.#before, 0, typed.length)
    if (act === "undo" || act === "drop") this.#region.hidden = true
    if (act) this.#field.focus()
  }
}

customElements.define("draft-suggestion", DraftSuggestion)
