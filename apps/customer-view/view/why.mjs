// Why accounts are one person: the links between them, each with its score and its reasons, and for every pair
// of accounts the way that joins them.

/** The accounts of a person, the links that join them, and who are never to be joined. */
export function explanation({ id, accounts, links = [], never = [] }) {
  const names = new Map(accounts.map((account) => [account.token, account]));
  const named = ({ a, b, ...rest }) => ({ a: names.get(a) ?? { token: a }, b: names.get(b) ?? { token: b }, ...rest });
  const sorted = [...links].sort((one, other) => other.score - one.score);
  return { person: id, accounts, links: sorted.map(named), never: never.map(named), weakest: weakest(accounts, sorted) };
}

// The link that the most depends on: without it and all that are weaker the person would be several.
function weakest(accounts, links) {
  const group = new Map(accounts.map(({ token }) => [token, token]));
  const find = (token) => {
    while (group.get(token) !== token) token = group.get(token);
    return token;
  };
  let last;
  for (const link of links) {
    if (!group.has(link.a) || !group.has(link.b) || find(link.a) === find(link.b)) continue;
    group.set(find(link.a), find(link.b));
    last = link;
  }
  return last && { a: last.a, b: last.b, score: last.score };
}
