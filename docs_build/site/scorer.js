// How the search orders what it finds, and where a result leads. A section with the searched title comes first. Decisions,
// changes and contracts of test programs come after the pages that most readers look for. A page that has the words in the
// title of a section leads to that section.
// `var`, because Sphinx declares it again.
var Scorer = {
  score: (result) => {
    const [page, title, anchor, , score, , kind] = result;
    const section = kind === "text" && !anchor && sectionWith(page, searched());
    if (section) [result[1], result[2]] = [`${title} > ${section[0]}`, `#${section[1]}`];
    return kind === "title" ? score + 100
      : /^(docs\/decisions\/|CHANGELOG|docs\/collate-contract|docs\/cluster\/)/.test(page) ? score / 4
      : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {},
  objPrioDefault: 0,
  title: 40,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

const stems = (text) => {
  const stemmer = new Stemmer();
  return new Set(splitQuery(text.toLowerCase()).map((word) => stemmer.stemWord(word)));
};

const searched = () => [...stems(new URLSearchParams(location.search).get("q") ?? "")];

// The title and the id of the first section of a page whose title has all words; undefined without one.
const sectionWith = (page, words) => {
  const number = Search._index.docnames.indexOf(page);
  for (const [title, places] of Object.entries(Search._index.alltitles)) {
    const place = places.find(([file, id]) => file === number && id !== null);
    if (place && words.length && words.every((word) => stems(title).has(word))) return [title, place[1]];
  }
};
