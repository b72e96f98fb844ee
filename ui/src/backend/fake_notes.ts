/** The notes of the fake backend: the sort of thing a person keeps, in two languages. */
export interface FakeNote {
  path: string;
  /** Words that a question may use although the note does not. They stand in for the note's meaning. */
  about: string;
  text: string;
}

export const FAKE_ROOT = "/home/mei/Notes";

const note = (path: string, about: string, text: string): FakeNote => ({
  path: `${FAKE_ROOT}/${path}`,
  about,
  text,
});

export const FAKE_NOTES: FakeNote[] = [
  note(
    "home/sourdough.md",
    "bread baking dense loaf flat not rising oven yeast",
    `---
tags: [kitchen, bread]
---
# Sourdough, what finally worked

The starter is fed **twice** on the day before: 1 part starter, 4 parts flour, 4 parts water, at about 24 °C.

## Why the crumb was dense

For a month every loaf came out flat and gummy. It was under-fermented: I stopped the bulk rise by the clock, after four hours, while the kitchen was at 18 °C. Now I wait until the dough has grown by *two thirds* and jiggles like jelly 🍞, which in winter takes seven to eight hours.

- Dough temperature after mixing: 25 °C
- Bulk: until +65 % in the straight-sided jar
- Cold proof: 12 to 16 hours at 4 °C

## Baking

Dutch oven at 250 °C, lid on for 20 minutes, then 230 °C without it until the crust is chestnut brown. Let it cool for an hour; cutting it warm makes a good crumb look raw.
`,
  ),
  note(
    "work/2026/postmortem-queue-backlog.md",
    "outage incident slow jobs stuck workers database root cause",
    `# Postmortem: the queue backlog of 14 March

**Impact.** Export jobs waited up to 47 minutes between 09:10 and 11:32. No data was lost.

## What happened

A migration added an index on \`jobs.created_at\` without \`CONCURRENTLY\`. The table was locked for nine minutes, every worker held its connection while waiting, and the pool ran dry. When the lock was released, retries arrived all at once.

\`\`\`sql
CREATE INDEX CONCURRENTLY jobs_created_at ON jobs (created_at);
SET lock_timeout = '2s';
\`\`\`

## What we changed

1. Migrations run with \`lock_timeout = 2s\` and fail instead of waiting.
2. Retries back off with jitter; see [[retry policy]].
3. The pool size is alarmed at 80 %.
`,
  ),
  note(
    "work/2026/one-to-ones/Ana, spring.md",
    "career promotion feedback conversation manager growth",
    `# Ana, spring

She wants to lead a project from start to finish before the autumn review. The search rewrite would suit her: small team, clear edge, visible result.

> "I learn most when I own the deadline as well as the code."

- [x] Ask Jonas whether search can start in May
- [ ] Find her a mentor outside the team
- [ ] Read her draft on on-call handovers
`,
  ),
  note(
    "trips/2025 Norway/packing and huts.md",
    "hiking mountains luggage rain gear cabin holiday",
    `# Norway, packing and huts

Seven nights from Gjendesheim to Finse. The DNT huts give you a bunk, a blanket and dinner, so leave the sleeping bag at home: a liner is enough.

## What I would take again

Rain jacket **and** rain trousers, wool layers, one warm hat in August, blister plasters, a headlamp (the huts are dark at five in the morning) and the paper map 1:50 000. Phone reception ends twenty minutes after the road.

## What stayed in the pack

The stove, the second pair of trousers, the novel.
`,
  ),
  note(
    "health/sleep log.md",
    "insomnia tired waking up night caffeine rest better",
    `# Sleep log

Six weeks of notes. What moved the number:

- No coffee after noon: about 25 minutes more, the clearest effect by far
- Bedroom at 17 °C instead of 21 °C: I stop waking at four
- Screens until midnight made no difference that I can see

Melatonin did nothing. A walk before breakfast 🌅 is pleasant and may be all placebo.
`,
  ),
  note(
    "reading/Thinking in Systems.md",
    "book feedback loops leverage delay policy complexity",
    `# Thinking in Systems (Donella Meadows)

A stock is the memory of the history of changing flows. Delays in a feedback loop make it oscillate: the shower that is too cold, then too hot, because the water takes ten seconds to arrive.

## Leverage points

Numbers (subsidies, taxes, standards) are the weakest place to intervene, and the ones we argue about most. The goal of the system and the mindset behind it are the strongest.
`,
  ),
  note(
    "家里/茶叶笔记.md",
    "tea brewing temperature oolong 泡茶 水温 苦",
    `# 茶叶笔记

## 为什么泡出来发苦

水温太高，时间太长。绿茶用 80 °C 左右的水，第一泡 40 秒就够了；乌龙茶可以用沸水，但要快进快出。

- 龙井：3 克，80 °C，40 秒
- 铁观音：7 克，100 °C，15 秒，可以泡七次 🍵
- 普洱熟茶：先用沸水洗一遍

喝完以后把盖碗打开，不要闷着叶子。
`,
  ),
  note(
    "工作/搜索引擎重排方案.md",
    "search reranking cross encoder latency 排序 检索 候选 模型",
    `# 搜索引擎重排方案

先用 BM25 和向量各召回一百条候选，加权融合，再交给交叉编码器逐条打分。重排只决定顺序：没有召回的文档，再好的模型也排不上来。

## 候选数量怎么定

候选越多越慢，而且不一定更好。实测从 30 条加到 100 条，准确率只提高了不到一个百分点，耗时却是三倍。默认用 100 条，界面上让用户自己选。
`,
  ),
  note(
    "旅行/京都三日.md",
    "kyoto japan travel temple autumn leaves itinerary 旅游 红叶 行程",
    `# 京都三日

第一天：清晨去伏见稻荷，七点以前几乎没有人。下午去东福寺看红叶。

第二天：岚山竹林、天龙寺，坐小火车回来。晚上在先斗町吃饭，要提前两周订位。

第三天：银阁寺走哲学之道到南禅寺，大约两个小时。
`,
  ),
  note(
    "money/pension.txt",
    "retirement saving fees fund invest how much",
    `Pension, the short version

The fee is the one thing I control. 1.2 % a year against 0.2 % a year is a fifth of the final sum over thirty years.

Moved the old employer's plan into the index fund in June. Remaining: the 2014 contract, which has a guarantee worth keeping.
`,
  ),
  note(
    "garden/tomatoes.md",
    "plants blossom end rot watering leaves yellow vegetables",
    `# Tomatoes

Blossom end rot is not a disease: the fruit lacks calcium because watering was uneven, not because the soil has none. Water deeply twice a week, mulch with straw, and it stops within ten days.

Black Krim tastes best and splits first. Pick it a day early.
`,
  ),
  note(
    "work/how we review code.md",
    "pull request review comments small changes merge team habits",
    `# How we review code

A review answers three questions: is it right, will the next person understand it, does it belong here? Style is the formatter's business.

- Under 300 lines, or say why not
- First answer within half a day
- Prefix with \`nit:\` what you would not insist on
`,
  ),
];
