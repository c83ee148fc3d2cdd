// How the search orders what it finds. A section with the searched title comes first. Decisions, changes and contracts
// of test programs come after the pages that most readers look for.
// `var`, because Sphinx declares it again.
var Scorer = {
  score: ([page, , , , score, , kind]) =>
    kind === "title" ? score + 100
    : /^(docs\/decisions\/|CHANGELOG|docs\/collate-contract|docs\/cluster\/)/.test(page) ? score / 4
    : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {},
  objPrioDefault: 0,
  title: 40,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
