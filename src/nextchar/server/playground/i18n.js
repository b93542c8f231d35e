// Texts of the page in English and Chinese. The English text in the page is the key.
import { load } from "./storage.js";

const CHINESE = {
  "Model": "模型",
  "Language": "语言",
  "Theme": "主题",
  "System": "跟随系统",
  "Light": "浅色",
  "Dark": "深色",
  "Prompt": "开头",
  "Start of the text; may be empty": "文本的开头，可以为空",
  "Write": "生成",
  "Stop": "停止",
  "Continue": "继续写",
  "Undo": "撤销",
  "Copy": "复制",
  "Copied": "已复制",
  "writes": "生成",
  "stops": "停止",
  "This server requires an API key:": "此服务器需要 API 密钥：",
  "Use key": "使用",
  "Settings": "设置",
  "Temperature": "温度",
  "Below 1 is safer, above 1 more varied; 0 takes the most probable character.": "低于 1 更稳妥，高于 1 更大胆；0 总取最可能的字符。",
  "Keep the fewest characters that reach this total probability; 1 is off.": "只从累计概率达到此值的最少字符中选取；1 为关闭。",
  "Length": "长度",
  "Characters to write.": "要写的字符数。",
  "More": "更多",
  "Keep only this many of the most probable characters; 0 is off.": "只从最可能的若干个字符中选取；0 为关闭。",
  "Keep characters at least this many times as probable as the best; 0 is off.": "只取概率不低于最高者此倍数的字符；0 为关闭。",
  "Repetition penalty": "重复惩罚",
  "Makes recent characters less probable; 1 is off.": "抑制最近出现过的字符；1 为关闭。",
  "Seed": "随机种子",
  "new each time": "每次不同",
  "The same seed and prompt give the same text.": "相同的种子和开头得到相同的文本。",
  "Text": "文本",
  "Probability": "概率",
  "Arrow keys move between characters, Enter moves to the alternatives, and 1 to 6 choose one.":
    "方向键在字符间移动，回车进入该字符的候选，1 到 6 选用其中一个。",
  "The generated text appears here. Point at a character to see its alternatives.":
    "模型写的文字显示在这里。指向一个字符，可以看到它本来还可能是什么。",
  "{n} characters": "{n} 个字符",
  "{n} per second": "每秒 {n} 个",
  "ended by the model": "由模型结束",
  "stopped": "已停止",
  "seed {seed}": "种子 {seed}",
  "Use seed {seed} again": "再次使用种子 {seed}",
  "Done: {n} characters.": "完成：{n} 个字符。",
  "Stopped after {n} characters.": "已停止，共 {n} 个字符。",
  "Writing.": "正在生成。",
  "The server cannot be reached. Is nextchar serve still running?": "无法连接服务器。nextchar serve 还在运行吗？",
  "The server answered {status}.": "服务器返回了 {status}。",
  "Try again in {wait} s.": "请在 {wait} 秒后重试。",
  "The connection closed before the text was complete.": "文本尚未结束，连接就中断了。",
  "{name} must be a number from {min} to {max}.": "{name}：需要 {min} 到 {max} 之间的数。",
  "Seed must be digits or empty.": "随机种子：只能是数字，或留空。",
  "The text could not be copied; select it and copy it by hand.": "无法复制，请选中文本后手动复制。",
  "space": "空格",
  "line break": "换行",
  "tab": "制表符",
  "the first of {n} bytes": "{n} 个字节中的第一个",
  "{char}: {percent}": "{char}：{percent}",
  "Probability unknown.": "概率未知。",
  "Write {char} here instead and continue from it ({percent})": "在此改写为 {char} 并继续（{percent}）",
  "written": "已写",
  "Continue from here": "从这里继续",
  "incomplete character": "不完整的字符",
  "{n} symbols": "{n} 种符号",
  "{n} parameters": "{n} 个权重",
};

let chinese = load("language", navigator.language).startsWith("zh");
const english = new WeakMap(); // translated element → its English texts

/** Translate a text; {name} stands for a value. */
export function t(text, values = {}) {
  const translated = chinese ? (CHINESE[text] ?? text) : text;
  return translated.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The language in use: `"en"` or `"zh"`. */
export const language = () => (chinese ? "zh" : "en");

/** A number in the format of the language: 1,234. */
export const number = (value, options) => value.toLocaleString(chinese ? "zh-CN" : "en-GB", options);

/** A probability in per cent: 43 %, 1.2 %, < 0.1 %. */
export function percent(logprob) {
  const p = 100 * Math.exp(logprob);
  if (p < 0.1) return "< 0.1 %";
  return `${number(p, { maximumFractionDigits: p < 10 || p > 99 ? 1 : 0 })} %`;
}

/** Translate every text of the page. */
export function setLanguage(code) {
  chinese = code === "zh";
  document.documentElement.lang = chinese ? "zh-Hans" : "en";
  for (const [mark, property] of Object.entries(MARKS)) {
    for (const element of document.querySelectorAll(`[${mark}]`)) {
      const texts = english.get(element) ?? {};
      texts[mark] ??= property.get(element);
      english.set(element, texts);
      property.set(element, t(texts[mark]));
    }
  }
}

const attribute = (name) => ({
  get: (element) => element.getAttribute(name),
  set: (element, text) => element.setAttribute(name, text),
});

const MARKS = {
  "data-t": {
    get: (element) => element.textContent.trim(),
    set: (element, text) => { element.textContent = text; },
  },
  "data-t-label": attribute("aria-label"),
  "data-t-placeholder": attribute("placeholder"),
};
