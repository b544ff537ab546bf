// <voice-recorder data-input="id"> records sound and puts it into that file input, to be heard before it is sent with the form.
// Shown only where the browser can record. The formats are those a server can tell by content, the best first.
const FORMATS = [
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
]
const LONGEST_SECONDS = 300

class VoiceRecorder extends HTMLElement {
  #recorder = null
  #timer
  #url = ""

  connectedCallback() {
    if (!navigator.mediaDevices?.getUserMedia || !this.#format || !this.#input) return
    this.hidden = false
    this.#part("start").addEventListener("click", this.#start)
    this.#part("stop").addEventListener("click", this.#stop)
    this.#input.addEventListener("change", this.#changed)
  }

  disconnectedCallback() {
    this.#stop()
    this.#forget()
  }

  get #input() {
    return document.getElementById(this.dataset.input)
  }

  get #format() {
    return window.MediaRecorder && FORMATS.find(([type]) => MediaRecorder.isTypeSupported(type))
  }

  #part(name) {
    return this.querySelector(`[data-${name}]`)
  }

  #start = async () => {
    this.#part("denied").hidden = true
    let stream
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true })
    } catch {
      this.#part("denied").hidden = false
      return
    }
    const chunks = []
    const [type, ending] = this.#format
    this.#recorder = new MediaRecorder(stream, { mimeType: type })
    this.#recorder.addEventListener("dataavailable", (event) => chunks.push(event.data))
    this.#recorder.addEventListener("stop", () => {
      stream.getTracks().forEach((track) => track.stop())
      if (this.isConnected) this.#put(new File(chunks, `voice.${ending}`, { type: type.split(";")[0] }))
    })
    this.#recorder.start()
    this.#count(performance.now())
    this.#turn(true)
    this.#part("stop").focus()
  }

  #stop = () => {
    if (this.#recorder?.state !== "recording") return
    this.#recorder.stop()
    clearInterval(this.#timer)
    this.#turn(false)
  }

  #count(since) {
    const tell = () => {
      const seconds = Math.floor((performance.now() - since) / 1000)
      this.#part("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
      if (seconds >= LONGEST_SECONDS) this.#stop()
    }
    tell()
    this.#timer = setInterval(tell, 250)
  }

  #turn(isRecording) {
    this.#part("start").hidden = isRecording
    this.#part("stop").hidden = !isRecording
  }

  #put(file) {
    const list = new DataTransfer()
    list.items.add(file)
    this.#input.files = list.files
    this.#input.dispatchEvent(new Event("change", { bubbles: true }))
    this.#url = URL.createObjectURL(file)
    this.#part("preview").src = this.#url
    this.#part("preview").hidden = false
    this.#part("start").focus()
  }

  // Another file was chosen, or none: what was recorded is gone.
  #changed = () => this.#forget()

  #forget() {
    const preview = this.#part("preview")
    if (!preview || !this.#url) return
    URL.revokeObjectURL(this.#url)
    this.#url = ""
    preview.removeAttribute("src")
    preview.hidden = true
  }
}

customElements.define("voice-recorder", VoiceRecorder)
