"""A lead held out to one provider until a deadline, with questions and answers."""
