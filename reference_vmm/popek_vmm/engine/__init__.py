"""The engine: the third reading of a machine's text, as native code.

`lowering` turns terms into LLVM IR; `accesses` says how loads and stores look to generated code; `functions` makes one
function of each outcome; `loop` holds the parts of the loop that are the same for every machine; `program` puts them
together; `compiled` builds and caches the object; `interpreter` runs it.
"""
