export const show = () => { throw new Error('not yet'); };
export const describe = () => { throw new Error('not yet'); };
export const systemFunction = () => { throw new Error('not yet'); };
export const tableFunction = () => { throw new Error('not yet'); };
