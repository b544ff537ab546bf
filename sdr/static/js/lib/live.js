// The page's one stream of news. Events: "inbox" (something in the list is other), "conversation" (detail: id of the open one), "notifications" (this member has other unread ones), "state" (opened or lost).
class Live extends EventTarget {
  #source
  #url = ""
  #thread = ""
  #last = ""

  get isOpen() {
    return this.#source?.readyState === EventSource.OPEN
  }

  // Opens the stream for this address and the conversation that is shown; the same again changes nothing.
  watch(url, thread) {
    if (this.#source && this.#source.readyState !== EventSource.CLOSED && url === this.#url && thread === this.#thread) return
    this.stop()
    this.#url = url
    this.#thread = thread
    const address = new URL(url, location.href)
    if (thread) address.searchParams.set("conversation", thread)
    if (this.#last) address.searchParams.set("after", this.#last)
    this.#source = new EventSource(address)
    this.#source.addEventListener("open", this.#state)
    this.#source.addEventListener("error", this.#state)
    this.#source.addEventListener("inbox", (event) => this.#tell("inbox", event))
    this.#source.addEventListener("conversation", (event) => this.#tell("conversation", event))
    this.#source.addEventListener("notifications", (event) => this.#tell("notifications", event))
    this.#source.addEventListener("reload", (event) => {
      this.#tell("notifications", event)
      this.#tell("inbox", event)
      this.#tell("conversation", event)
    })
  }

  stop() {
    this.#source?.close()
    this.#source = undefined
    this.#state()
  }

  #state = () => this.dispatchEvent(new CustomEvent("state"))

  #tell(name, event) {
    if (event.lastEventId) this.#last = event.lastEventId
    this.dispatchEvent(new CustomEvent(name, { detail: event.data }))
  }
}

export const live = new Live()
