// <row-menu> around what holds links to a conversation's menu (href …/menu/): opens the menu beside the link, or where a row is right-clicked. Without scripts the link opens a page.
class RowMenu extends HTMLElement {
  static #sheet
  static #opener

  connectedCallback() {
    this.addEventListener("click", this.#click)
    this.addEventListener("contextmenu", this.#context)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#click)
    this.removeEventListener("contextmenu", this.#context)
  }

  #click = (event) => {
    const link = event.target.closest?.("a[href$='/menu/']")
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    event.stopPropagation()
    const box = link.getBoundingClientRect()
    this.#open(link, box.left, box.bottom + 4)
  }

  #context = (event) => {
    const link = event.target.closest?.(".inbox__item")?.querySelector("a[href$='/menu/']")
    if (!link || event.shiftKey) return // with Shift the browser's own
    event.preventDefault()
    this.#open(link, event.clientX, event.clientY)
  }

  async #open(link, x, y) {
    const sheet = RowMenu.#made()
    RowMenu.#opener = link
    try {
      const answer = await fetch(link.href, { headers: { "HX-Request": "true" }, redirect: "manual" })
      if (!answer.ok) throw new Error(String(answer.status))
      const found = new DOMParser().parseFromString(await answer.text(), "text/html")
      sheet.replaceChildren(...found.body.children)
    } catch {
      location.assign(link.href)
      return
    }
    window.htmx?.process(sheet)
    if (!sheet.open) sheet.showModal()
    const { width, height } = sheet.getBoundingClientRect()
    sheet.style.setProperty("inset-inline-start", `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`)
    sheet.style.setProperty("inset-block-start", `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`)
    sheet.querySelector("button")?.focus()
  }

  // One sheet for all rows: a dialog, so that Esc, the focus and what lies behind are the browser's business.
  static #made() {
    if (RowMenu.#sheet?.isConnected) return RowMenu.#sheet
    const sheet = document.createElement("dialog")
    sheet.className = "dialog menu-sheet"
    sheet.addEventListener("click", (event) => event.target === sheet && sheet.close())
    sheet.addEventListener("htmx:beforeRequest", () => sheet.close())
    sheet.addEventListener("close", () => RowMenu.#opener?.isConnected && RowMenu.#opener.focus())
    sheet.addEventListener("keydown", walk)
    document.body.append(sheet)
    RowMenu.#sheet = sheet
    return sheet
  }
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (!step || event.target.matches("select")) return
  event.preventDefault()
  const stops = [...event.currentTarget.querySelectorAll("button, select")]
  stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length].focus()
}

customElements.define("row-menu", RowMenu)
