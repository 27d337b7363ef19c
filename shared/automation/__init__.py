"""Triggers and macros as every service understands them: what happened, conditions, actions. Pure.

`parts` is the base of the types, `conditions` and `actions` are what documents hold, `facts` is what a condition looks
at, `evaluation` makes a function of a condition, `happenings` tells which event is what, and `rules` finds the triggers
that are to act.
"""
