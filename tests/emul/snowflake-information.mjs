export const informationRows = () => { throw new Error('not yet'); };
