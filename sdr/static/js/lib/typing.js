// Puts text in place of a part of a field, so that the browser's own undo takes it back; fires "input" as a key does.
export function insert(field, text, start = field.selectionStart, end = field.selectionEnd) {
  field.focus()
  field.setSelectionRange(start, end)
  if (document.execCommand?.("insertText", false, text)) return
  field.setRangeText(text, start, end, "end")
  field.dispatchEvent(new Event("input", { bubbles: true }))
}

// What stands between double braces and waits for somebody to write it.
export const UNFILLED = /\{\{\s*[\p{L}\p{N}_]{1,40}\s*\}\}/gu
