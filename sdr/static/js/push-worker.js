// The service worker of web push: shows what comes, opens what is pressed. It caches nothing and answers no request.
self.addEventListener("install", () => self.skipWaiting())

self.addEventListener("push", (event) => {
  const told = event.data?.json()
  if (!told?.title) return
  event.waitUntil(self.registration.showNotification(told.title, { body: told.body, tag: told.tag, data: { url: told.url } }))
})

self.addEventListener("notificationclick", (event) => {
  event.notification.close()
  const url = new URL(event.notification.data.url, self.location.origin)
  if (url.origin !== self.location.origin) return
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
      const page = pages.find((one) => new URL(one.url).origin === url.origin && "focus" in one)
      return page ? page.focus().then((found) => found.navigate(url).catch(() => self.clients.openWindow(url))) : self.clients.openWindow(url)
    }),
  )
})
