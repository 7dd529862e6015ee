export class Snowpipe { constructor(){} reset(){} onObject(){} pump(){} age(){} loadNow(){} call(){} }
