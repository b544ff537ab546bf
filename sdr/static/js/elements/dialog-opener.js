// <dialog-opener for="dialog id"> around a link to the confirmation page: the same question, asked here. Without scripts the link works.
class DialogOpener extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this.#open)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#open)
  }

  #open = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || !event.target.closest("a, button")) return
    const dialog = document.getElementById(this.getAttribute("for"))
    if (!dialog) return
    event.preventDefault()
    dialog.showModal()
    dialog.addEventListener("click", this.#closeOutside)
  }

  // The backdrop belongs to the dialog, so a click there has the dialog itself as its target.
  #closeOutside = (event) => {
    const dialog = event.currentTarget
    const box = dialog.getBoundingClientRect()
    const isInside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom
    if (event.target === dialog && !isInside) dialog.close()
  }
}

customElements.define("dialog-opener", DialogOpener)
