"""The flow of a course for the web engine: weeks, what is asked when, what is kept, what went wrong.

The text is Python of the kind that ``emit`` translates. Names in capitals stand for columns that have their place in memory, for
places in them, and for numbers that do not change; functions that are not here are written from tuples of steps (``program``).
"""

TEXT = '''
def wrong(what, week, which, value):
    """Note what went wrong; gives 1."""
    ERROR[0], ERROR[1], ERROR[2], ERROR[3] = float(what), float(week), float(which), value
    return 1


def drawn(f, code, role, own, wanted, early, anxiety_scores, avoidance_scores):
    """Draw a person; 1 where nobody fits."""
    copied(PERSON_START, f, PERSON_START.size)
    if candidate(f, code, P0, own, wanted, anxiety_scores, avoidance_scores) == 0:
        return wrong(NOBODY, 0, role, 0.0)
    if early[0] == early[0]:
        for k in range(SHARES.size):
            SHARES[k] = (early[k] - LOWEST) / WIDTH
        beginning_elsewhere(f, code, P0, own, SHARES)
    else:
        beginning_here(f, code, P0, own, early)
    return 0


def trained(t):
    """What policies add to a therapist."""
    for k in range(int(S[N_ADDED])):
        j = int(ADDED[2 * k])
        t[j] = minimum(maximum(t[j] + ADDED[2 * k + 1], PERSON_LOW[j]), PERSON_HIGH[j])


def hold_all():
    """Whatever is held is at its course in the baseline."""
    for k in range(DYAD_LOW.size):
        W0[k] = held(W0[k], W1[k], X0[HELD + k], DYAD_LOW[k], DYAD_HIGH[k])


def missing():
    """Whether answers may be missing."""
    return P0[MISSING_FORM] > 0.0 or P0[MISSING_ITEM] > 0.0


def session(week, here_c, here_t, here_d, always_c, always_t, always_d, trace, length, forced):
    """One session: in the usual way, or with what an experimenter does; 1 where something left its range."""
    if X0[HOLDING] > 0.0:
        at = session_beside(here_c, here_t, here_d, always_c, always_t, always_d, trace, length, forced)
    elif S[EXPERIMENT] > 0.0:
        at = session_reached(here_c, here_t, here_d, always_c, always_t, always_d, trace, length, forced)
    else:
        at = session_usual(here_c, here_t, here_d, always_c, always_t, always_d, trace, length, forced)
    if at >= DYAD_LOW.size:  # of the baseline
        return wrong(OF_THE_TWO, week, at - DYAD_LOW.size, W1[at - DYAD_LOW.size])
    if at >= 0:
        return wrong(OF_THE_TWO, week, at, W0[at])
    late = first_outside(W0, LATE_PLACES, LATE_LOW, LATE_HIGH, LATE_LOW.size)
    if late >= 0:
        return wrong(OF_THE_TWO, week, LATE_PLACES[late], W0[LATE_PLACES[late]])
    if not missing():
        rating = first_outside(W0, RATING_PLACES, RATING_LOW, RATING_HIGH, RATING_LOW.size)
        if rating >= 0:
            return wrong(NO_RATING, week, rating, 0.0)
    return 0


def at_end(clients, c, t, n, here_c, here_t, how):
    """What the client table says of a course that ends; of who dropped out the last rating of distress."""
    attachment_end(c, P0, here_c)
    attachment_end(t, P0, here_t)
    distress_end(c, P0, here_c)
    keep_client_end(clients, c, n)
    keep_therapist_end(clients, t, n)
    if how == DROPOUT:
        clients[AT_DISTRESS_END * n] = W0[DISTRESS_RATED]
    clients[AT_PLANNED * n] = W0[PLANNED]
    clients[AT_ATTENDED * n] = W0[SESSION]
    clients[AT_ENDING * n] = how


def untreated(clients, c, n, here_c):
    """The same of who had no therapy."""
    attachment_end(c, P0, here_c)
    distress_end(c, P0, here_c)
    keep_client_end(clients, c, n)


def month_kept(months, c, month, length):
    """A row of the monthly questionnaires; life events are counted again."""
    keep_assessment(months, int(month), length, month, c)
    c[LIFE_EVENTS] = 0.0


def course(number, n, clients, sessions, months, trace, forced):
    """The course of one client, of ``n`` whose columns lie beside each other; 1 where it could not be lived to its end."""
    c, t = shifted(W0, CLIENT), shifted(W0, THERAPIST)
    client_code = np.uint64(number) * np.uint64(2)
    therapist_code = np.uint64(number) // np.uint64(int(S[CASELOAD])) * np.uint64(2) + np.uint64(1)
    pair_code = pair_of(client_code, therapist_code)
    therapy, weeks, most_sessions = S[THERAPY], int(S[WEEKS]), n * int(S[SESSIONS])
    most_months = n * (weeks // WEEKS_PER_MONTH + 1)
    copied(DYAD_START, W0, DYAD_START.size)
    if drawn(c, client_code, 0, OWN_client, WANTED_client, EARLY_client, SCORES_client_anxiety, SCORES_client_avoidance) > 0:
        return 1
    if therapy > 0.0:
        if drawn(t, therapist_code, 1, OWN_therapist, WANTED_therapist, EARLY_therapist,
                 SCORES_therapist_anxiety, SCORES_therapist_avoidance) > 0:
            return 1
        trained(t)
    W0[PLANNED], W0[ENDING] = S[SESSIONS], IN_THERAPY
    for k in range(NOTHING_YET.size):
        W0[NOTHING_YET[k]] = np.nan
    copied(W0, W1, W0.size)

    always_c = occasion(ADDRESS[0], ADDRESS[1], client_code, np.uint64(0))
    always_t = occasion(ADDRESS[0], ADDRESS[1], therapist_code, np.uint64(0))
    always_d = occasion(ADDRESS[0], ADDRESS[1], pair_code, np.uint64(0))
    if therapy > 0.0:
        if X0[HOLDING] > 0.0:
            meeting_beside(always_c, always_t, always_d, always_c, always_t, always_d)
        elif S[EXPERIMENT] > 0.0:
            meeting_reached(always_c, always_t, always_d, always_c, always_t, always_d)
        else:
            meeting_usual(always_c, always_t, always_d, always_c, always_t, always_d)
    for k in range(N_OF_CLIENTS):
        clients[k * n] = np.nan
    distress_0(c, P0, always_c)
    attachment_0(c, P0, always_c)
    month_kept(months, c, 0.0, most_months)
    keep_client_0(clients, c, n)
    if therapy > 0.0:
        attachment_0(t, P0, always_t)
        keep_therapist_0(clients, t, n)
    clients[AT_PLANNED * n], clients[AT_ATTENDED * n], clients[AT_ENDING * n] = 0.0, 0.0, UNTREATED

    here_c, here_t = always_c, always_t
    for week in range(1, weeks + 1):
        here_c = occasion(ADDRESS[0], ADDRESS[1], client_code, np.uint64(week))
        here_t = occasion(ADDRESS[0], ADDRESS[1], therapist_code, np.uint64(week))
        if therapy > 0.0 and W0[ENDING] == IN_THERAPY:
            here_d = occasion(ADDRESS[0], ADDRESS[1], pair_code, np.uint64(week))
            row = int(W0[SESSION])
            followed, length = shifted(trace, row * int(S[EXCHANGES])), int(S[SESSIONS]) * int(S[EXCHANGES])
            if session(week, here_c, here_t, here_d, always_c, always_t, always_d, followed, length, forced) > 0:
                return 1
            if X0[HOLDING] > 0.0:
                life(shifted(W1, CLIENT), here_c, P1, OWN_client)
                life(shifted(W1, THERAPIST), here_t, P1, OWN_therapist)
            keep_session(sessions, row, most_sessions, float(week))
            if W0[ENDING] != IN_THERAPY:
                at_end(clients, c, t, n, here_c, here_t, W0[ENDING])
        if therapy == 0.0 and week == int(S[SESSIONS]):
            untreated(clients, c, n, here_c)
        life(c, here_c, P0, OWN_client)
        outside = first_outside(c, PERSON_PLACES, PERSON_LOW, PERSON_HIGH, PERSON_LOW.size)
        if outside >= 0:
            return wrong(OF_CLIENT, week, outside, c[outside])
        if therapy > 0.0:
            life(t, here_t, P0, OWN_therapist)
            outside = first_outside(t, PERSON_PLACES, PERSON_LOW, PERSON_HIGH, PERSON_LOW.size)
            if outside >= 0:
                return wrong(OF_THERAPIST, week, outside, t[outside])
        if week % WEEKS_PER_MONTH == 0:
            distress_month(c, P0, here_c)
            attachment_month(c, P0, here_c)
            month_kept(months, c, float(week // WEEKS_PER_MONTH), most_months)
    if therapy > 0.0 and W0[ENDING] == IN_THERAPY:
        at_end(clients, c, t, n, here_c, here_t, CENSORED)
    return 0


def many(first, n, clients, sessions, months, trace, forced):
    """The courses of ``n`` clients; ``forced``: what is forced, laid out (``lay_out``).

    Gives the place of the first that could not be lived to its end, or -1."""
    for k in range(n):
        of_months = shifted(months, k * (int(S[WEEKS]) // WEEKS_PER_MONTH + 1))
        if course(first + k, n, shifted(clients, k), shifted(sessions, k * int(S[SESSIONS])), of_months, trace, forced) > 0:
            return k
    return -1


def lay_out(entries, n, table):
    """Lay out what is forced, as ``many`` takes it."""
    laid_out(entries, n, int(S[SESSIONS]), int(S[EXCHANGES]), int(X0[N_FORCED]), table)


def nobody(role, n):
    """1 where one of the first ``n`` clients (``role`` 0) or therapists (1) cannot be drawn, else 0."""
    for k in range(n):
        if role == 0:
            if drawn(shifted(W0, CLIENT), np.uint64(k) * np.uint64(2), 0, OWN_client, WANTED_client, EARLY_client,
                     SCORES_client_anxiety, SCORES_client_avoidance) > 0:
                return 1
        elif drawn(shifted(W0, THERAPIST), np.uint64(k) * np.uint64(2) + np.uint64(1), 1, OWN_therapist, WANTED_therapist,
                   EARLY_therapist, SCORES_therapist_anxiety, SCORES_therapist_avoidance) > 0:
            return 1
    return 0


def scores_made(spread, made, k, scores):
    """The scores of anxiety or avoidance (``k``) of a role, where they are others than last time; 1 where there are none."""
    mean, sd = spread[2 * k + 1], spread[2 * k + 2]
    if made[3 * k] == spread[0] and made[3 * k + 1] == mean and made[3 * k + 2] == sd:
        return 0
    made[3 * k], made[3 * k + 1], made[3 * k + 2] = spread[0], mean, sd
    if scores_of(spread[0], mean, sd, GRID, HALF_GRID, LOW_HALF, HIGH_HALF, scores) > 0:
        made[3 * k] = np.nan
        return 1
    return 0


def prepare():
    """Make ready what follows from numbers and settings; 0, or which population there cannot be, counted from 1."""
    S[WEEKS] = S[SESSIONS] + float(WEEKS_PER_MONTH) * S[FOLLOW_UP_MONTHS]
    copied(P0, P1, P0.size)
    for k in range(FIRST_REGION, STILL):
        P1[k] = 1.0
    copied(X0, X1, X0.size)
    for k in range(FIRST_PLACE):  # nothing is cut, held or off in the baseline
        X1[k] = np.nan
    for k in range(FIRST_FORCED, RECORDING):
        X1[k] = -1.0
    X1[RECORDING] = 1.0
    own_numbers_client(P0, OWN_client)
    own_numbers_therapist(P0, OWN_therapist)
    if scores_made(SPREAD_client, MADE_client, 0, SCORES_client_anxiety) > 0:
        return 1
    if scores_made(SPREAD_client, MADE_client, 1, SCORES_client_avoidance) > 0:
        return 2
    if S[THERAPY] > 0.0:
        if scores_made(SPREAD_therapist, MADE_therapist, 0, SCORES_therapist_anxiety) > 0:
            return 3
        if scores_made(SPREAD_therapist, MADE_therapist, 1, SCORES_therapist_avoidance) > 0:
            return 4
    return 0


def weaken(k, strength):
    """A lesion of a region: what is left of it."""
    P0[FIRST_REGION + k] = P0[FIRST_REGION + k] * strength


def push(k, per_unit, amount):
    """Add to how far something is pushed from its course in the baseline."""
    X0[k] = X0[k] + per_unit * amount
'''
