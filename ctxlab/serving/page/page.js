"use strict";
// Everything that comes from a document or an answer is put into the page as text, never as markup.

const $ = (id) => document.getElementById(id);
const SHOWN_RECORDS = 50;
const FORMS = {
  qa: "question",
  nli: '{"premise": "…", "hypothesis": "…"}',
  relation: '{"tokens": ["…"], "entities": [{"type": "…", "mentions": [[0, 1]]}]}',
  dialogue: '{"turns": ["…", "…"], "candidates": ["…", "…"]}',
  recommendation: '{"history": ["…"], "candidates": ["…", "…"]}',
  summarization: '{"document": "…"}',
  translation: '{"source": "…"}',
  generation: '{"prompt": "…"}',
  probe: '{"text": "…", "question": "…"}',
};
let task = "";
const SHADES = 5;
let running = null;
let targets = [];

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function headers() {
  const found = { "Content-Type": "application/json" };
  const key = $("key").value.trim();
  if (key) found.Authorization = `Bearer ${key}`;
  return found;
}

function show(id, isShown) {
  $(id).hidden = !isShown;
}

function fail(sentence) {
  $("error").textContent = sentence;
  show("error", true);
}

async function about() {
  let answer;
  try {
    answer = await fetch("v1/model", { headers: headers() });
  } catch {
    $("model").textContent = "The server does not answer.";
    return;
  }
  if (answer.status === 401 || answer.status === 403) {
    show("key-row", true);
    $("model").textContent = "This server needs a key.";
    return;
  }
  const model = await answer.json();
  task = model.task;
  const checkpoint = model.checkpoint ? `, ${model.checkpoint}` : "";
  $("model").textContent =
    `${model.run}${checkpoint}: ${task} with strategy ${model.strategy}, ` +
    `a context of ${model.context_length.toLocaleString()} tokens. Texts may have any length.`;
  const form = FORMS[task];
  show("question-row", form === "question");
  if (form && form !== "question") {
    $("text-label").textContent = "Text, or a record in JSON";
    $("hint").textContent = `A record of ${task} is such as ${form}`;
  }
}

function record() {
  const text = $("text").value;
  if (text.trimStart().startsWith("{")) return text;
  if (FORMS[task] !== "question") return JSON.stringify({ text });
  return JSON.stringify({ context: text, questions: [{ id: "1", question: $("question").value }] });
}

function given() {
  const text = $("text").value;
  if (!text.trimStart().startsWith("{")) return text;
  try {
    const found = JSON.parse(text);
    return found.text ?? found.context ?? found.document ?? "";
  } catch {
    return "";
  }
}

// Offsets count characters of Unicode; strings here count units of UTF-16.
function units(text, wanted) {
  const places = [...new Set(wanted)].sort((a, b) => a - b);
  const found = new Map();
  let at = 0;
  let count = 0;
  for (const place of places) {
    while (count < place && at < text.length) {
      at += text.codePointAt(at) > 0xffff ? 2 : 1;
      count += 1;
    }
    found.set(place, at);
  }
  return found;
}

function marked(text, spans) {
  const place = units(text, spans.flatMap((span) => [span.from, span.to]));
  const part = document.createDocumentFragment();
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const [from, to] = [place.get(span.from), place.get(span.to)];
    if (from < at) continue;
    part.append(text.slice(at, from));
    const mark = element("mark", text.slice(from, to), span.kind);
    if (span.title) mark.title = span.title;
    if (span.label) mark.append(element("small", span.label));
    part.append(mark);
    at = to;
  }
  part.append(text.slice(at));
  return part;
}

function entities(found, text) {
  const types = [...new Set(found.entities.map((entity) => entity.type))].sort();
  const kind = (type) => `c${types.indexOf(type) % 8}`;
  for (const type of types) {
    const count = found.entities.filter((entity) => entity.type === type).length;
    $("legend").append(element("li", `${type} ${count.toLocaleString()}`, kind(type)));
  }
  const shown = text || found.tokens.join(" ");
  const spans = found.entities.map((entity) => ({
    from: entity.start_char, to: entity.end_char, label: entity.type, kind: kind(entity.type),
  }));
  const isOver = spans.every((span) => Number.isInteger(span.from));
  $("answer").append(isOver ? marked(shown, spans) : element("p", JSON.stringify(found.entities)));
}

function classes(found) {
  const label = found.labels ? found.labels.join(", ") || "no label" : found.label ?? "no label";
  $("answer").append(element("p", label));
  const all = Object.entries(found.probabilities ?? {}).sort((a, b) => b[1] - a[1]);
  for (const [name, value] of all.slice(0, 20)) {
    const row = element("div", undefined, "bar");
    const meter = element("meter");
    meter.value = value;
    meter.setAttribute("aria-label", name);
    row.append(element("b", name), meter, element("span", `${(100 * value).toFixed(1)} %`));
    $("answer").append(row);
  }
}

function answer(found, text) {
  $("answer").append(element("p", found.answer || "There is no answer in the text."));
  if (text && Number.isInteger(found.start) && !("context" in found)) {
    const span = { from: found.start, to: found.end, label: "", kind: "c0" };
    $("answer").append(marked(text, [span]));
    $("answer").querySelector("mark").scrollIntoView({ block: "nearest" });
  }
}

function one(found, text) {
  if (found.entities) entities(found, text);
  else if ("label" in found || "labels" in found) classes(found);
  else if ("answer" in found) answer(found, text);
  else {
    const said = found.summary ?? found.translation ?? found.text;
    $("answer").append(element("p", said ?? JSON.stringify(found, null, 1)));
  }
}

function share(part, whole) {
  return whole ? `${(100 * part / whole).toFixed(part === whole ? 0 : 1)} %` : "–";
}

function facts(coverage, timing) {
  const rows = [
    ["Read", `${share(coverage.tokens_read, coverage.tokens)} of ${coverage.tokens.toLocaleString()} tokens`],
    ["Windows", coverage.windows.toLocaleString()],
    ["Characters unknown", share(coverage.characters_unknown, coverage.characters)],
    ["Time", timing ? `${timing.seconds.toFixed(2)} s` : "…"],
  ];
  $("facts").replaceChildren(...rows.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
}

function draw(line, text) {
  const all = line.answers ?? [{ record: line.record ?? line.record_so_far, coverage: line.coverage }];
  $("legend").replaceChildren();
  $("answer").replaceChildren();
  for (const each of all.slice(0, SHOWN_RECORDS)) one(each.record, text);
  facts(all[0].coverage, line.timing);
  $("json").textContent = line.timing ? JSON.stringify(line, null, 1).slice(0, 200000) : "";
  show("result", true);
}

function take(line, text) {
  if (line.error) fail(line.error);
  else if ("window" in line) {
    $("progress").value = line.windows_read / line.windows;
    $("status").textContent = `${line.windows_read.toLocaleString()} of ${line.windows.toLocaleString()} windows`;
  } else draw(line, text);
}

async function lines(answer, text) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) take(JSON.parse(part), text);
  }
}

// What parts of the text add to the score of a part of the answer, in shades of the largest of them.
function weigh() {
  const target = targets[$("target").selectedIndex];
  const parts = target.words ?? target.sentences ?? [];
  const largest = Math.max(...parts.map((part) => Math.abs(part.value)), Number.MIN_VALUE);
  const spans = parts.map((part) => ({
    from: part.start, to: part.end, title: part.value.toLocaleString(undefined, { maximumSignificantDigits: 3 }),
    kind: `${part.value < 0 ? "against" : "for"} s${Math.round(SHADES * Math.abs(part.value) / largest)}`,
  }));
  $("weighed").replaceChildren(marked(target.text, spans));
}

function reasons(line) {
  const all = line.answers ?? [line];
  targets = all.flatMap((each) => (each.targets ?? []).map((target) => ({ ...target, text: each.text })));
  if (!targets.length) {
    fail(all[0].nothing ?? "This answer has no part that can be explained.");
    return;
  }
  $("target").replaceChildren(...targets.map((target) => element("option", target.name)));
  $("method").textContent =
    `By ${all[0].explanation}, in ${line.timing.seconds.toFixed(2)} s. Shades are relative to the largest value; ` +
    "point at a part for its own.";
  weigh();
  show("reasons", true);
}

async function ask(address, waiting, take, ids) {
  if (running) return;
  running = new AbortController();
  show("error", false);
  for (const id of ids.gone) show(id, false);
  for (const id of ids.there) show(id, true);
  for (const id of ["read", "explain"]) $(id).disabled = true;
  $("status").textContent = waiting;
  try {
    const options = { method: "POST", headers: headers(), body: record(), signal: running.signal };
    const found = await fetch(address, options);
    if (found.ok) await take(found);
    else fail((await found.json()).error);
    $("status").textContent = "";
  } catch (error) {
    $("status").textContent = error.name === "AbortError" ? "Stopped" : "";
    if (error.name !== "AbortError") fail("The server does not answer.");
  }
  for (const id of ids.there) show(id, false);
  for (const id of ["read", "explain"]) $(id).disabled = false;
  running = null;
}

function read(event) {
  event.preventDefault();
  const text = given();
  $("progress").value = 0;
  const ids = { gone: ["result", "reasons"], there: ["stop", "progress"] };
  return ask("v1/documents/stream", "Waiting", (found) => lines(found, text), ids);
}

function explain() {
  const ids = { gone: ["reasons"], there: ["stop"] };
  return ask("v1/explain", "Explaining", async (found) => reasons(await found.json()), ids);
}

$("form").addEventListener("submit", read);
$("explain").addEventListener("click", explain);
$("target").addEventListener("change", weigh);
$("stop").addEventListener("click", () => running && running.abort());
$("key").addEventListener("change", about);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) read(event);
});
about();
