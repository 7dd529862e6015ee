export const list = () => { throw new Error('not yet'); };
export const copy = () => { throw new Error('not yet'); };
export const remove = () => { throw new Error('not yet'); };
export const stageTable = () => { throw new Error('not yet'); };
export const refreshPipe = () => { throw new Error('not yet'); };
