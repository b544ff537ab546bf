// <push-switch url="…" key="…" worker="…"> around a button: lets this browser show notifications, and tells the server where. Hidden where browsers cannot.
class PushSwitch extends HTMLElement {
  connectedCallback() {
    if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return
    this.querySelector("button").addEventListener("click", this.#turnOn)
    this.hidden = false
  }

  #turnOn = async () => {
    this.#say("")
    if ((await Notification.requestPermission()) !== "granted") return this.#say("denied")
    try {
      const registration = await navigator.serviceWorker.register(this.getAttribute("worker"))
      await active(registration)
      await (await registration.pushManager.getSubscription())?.unsubscribe()
      const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.getAttribute("key") })
      if (!(await this.#tell(made))) return this.#say("failed")
      location.reload()
    } catch {
      this.#say("failed")
    }
  }

  async #tell(subscription) {
    const { endpoint, keys } = subscription.toJSON()
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value
    const answer = await fetch(this.getAttribute("url"), {
      method: "POST",
      headers: { "X-CSRFToken": token },
      body: new URLSearchParams({ endpoint, p256dh: keys.p256dh, auth: keys.auth }),
    })
    return answer.ok
  }

  #say(what) {
    for (const name of ["denied", "failed"]) this.querySelector(`[data-${name}]`).hidden = name !== what
  }
}

function active(registration) {
  const worker = registration.installing ?? registration.waiting
  if (!worker || registration.active) return Promise.resolve()
  return new Promise((done) => worker.addEventListener("statechange", () => worker.state === "activated" && done()))
}

customElements.define("push-switch", PushSwitch)
