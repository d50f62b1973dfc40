def sketch(terms):
    return ("~%x" % abs(hash(" ".join(terms))),)
