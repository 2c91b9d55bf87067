// The time zone of the reader, so that pages can say times as the clock on the wall does.
document.cookie = `posthaste_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; samesite=strict`;

// A file goes up as it is; `emit` hears how far it is and what came of it.
window.sendFile = (file, emit) => {
  const request = new XMLHttpRequest();
  request.open("POST", "/uploads");
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.onprogress = (e) => emit({ state: "sending", part: e.total ? e.loaded / e.total : 0 });
  request.onload = () => {
    let body = {};
    try { body = JSON.parse(request.responseText); } catch { /* no JSON: the state says enough */ }
    emit({ state: request.status === 200 ? "done" : "failed", status: request.status, name: file.name, size: file.size, body });
  };
  request.onerror = () => emit({ state: "failed", status: 0, name: file.name, size: file.size, body: {} });
  emit({ state: "sending", part: 0, name: file.name, size: file.size });
  request.send(file);
};

// The field at fault, also where it is folded away.
window.focusField = (form, name) => {
  const field = document.getElementById(form)?.querySelector(`[name="${name}"]`);
  for (let around = field?.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
  field?.focus();
};

// A line of what somebody writes: selected, and in sight.
window.showLine = (name, line) => {
  const area = document.querySelector(`textarea[name="${name}"], input[name="${name}"]`);
  if (!area) return;
  const before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const end = area.value.indexOf("\n", before);
  area.focus();
  area.setSelectionRange(before, end < 0 ? area.value.length : end);
  area.scrollTop = (line - 3) * parseFloat(getComputedStyle(area).lineHeight);
};
