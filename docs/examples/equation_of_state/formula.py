"""The temperature derivative of dynamic enthalpy in closed form, from the 48-term expression of TEOS-10.

`v` is the specific volume in m³/kg by the 48-term expression of Absolute Salinity (g/kg), Conservative Temperature (°C)
and pressure p (dbar): (b0 + b1 p + b2 p² + b3 p³) / (a0 + a1 p + a2 p²), whose coefficients are polynomials (IOC, SCOR
and IAPSO 2010, "The international thermodynamic equation of seawater", appendix K). Enthalpy is its integral over
pressure, which has a closed form by partial fractions: v = c0 + c1 p + (d0 + d1 p) / (a0 + a1 p + a2 p²). All
derivatives are by temperature.
"""

DBAR = 1e4  # pascal in a decibar


def compute_derivative(s, t, p, sqrt, log):
    """Return the derivative at each point of the grid, by a framework's functions for roots and logarithms."""
    root = sqrt(s)
    # The density at no pressure, and how it grows with pressure.
    a0 = 9.998420897506056e2 + t * (2.839940833161907 + t * (-3.147759265588511e-2 + 1.181805545074306e-3 * t))
    a0 += s * (-6.698001071123802 + t * (-2.986498947203215e-2 + 2.327859407479162e-4 * t))
    a0 += (
        s
        * root
        * (-3.988822378968490e-2 + t * (5.095422573880500e-4 + t * (-1.426984671633621e-5 + 1.645039373682922e-7 * t)))
    )
    a1 = (
        -2.233269627352527e-2
        + t * (-3.436090079851880e-4 + 3.726050720345733e-6 * t)
        + s * (-1.806789763745328e-4 + 6.876837219536232e-7 * t)
    )
    a2 = -3.087032500374211e-7 + t * (-1.988366587925593e-8 - 1.061519070296458e-11 * t) + 1.550932729220080e-10 * s
    a0t = 2.839940833161907 + t * (2 * -3.147759265588511e-2 + 3 * 1.181805545074306e-3 * t)
    a0t += s * (-2.986498947203215e-2 + 2 * 2.327859407479162e-4 * t)
    a0t += s * root * (5.095422573880500e-4 + t * (2 * -1.426984671633621e-5 + 3 * 1.645039373682922e-7 * t))
    a1t = -3.436090079851880e-4 + 2 * 3.726050720345733e-6 * t + 6.876837219536232e-7 * s
    a2t = -1.988366587925593e-8 - 2 * 1.061519070296458e-11 * t
    # The numerator.
    b0 = 1.0 + t * (
        2.775927747785646e-3 + t * (-2.349607444135925e-5 + t * (1.119513357486743e-6 + 6.743689325042773e-10 * t))
    )
    b0 += s * (
        -7.521448093615448e-3
        + t
        * (-2.764306979894411e-5 + t * (1.262937315098546e-7 + t * (9.527875081696435e-10 - 1.811147201949891e-11 * t)))
    )
    b0 += s * (
        5.419326551148740e-6 * s
        + root
        * (
            -3.303308871386421e-5
            + t
            * (
                3.801564588876298e-7
                + t * (-7.672876869259043e-9 + t * (-4.634182341116144e-11 + 2.681097235569143e-12 * t))
            )
        )
    )
    b1 = (
        -2.742185394906099e-5
        + t * (-3.212746477974189e-7 + t * (3.191413910561627e-9 - 1.931012931541776e-12 * t))
        + s * (-1.105097577149576e-7 + 6.211426728363857e-10 * t)
    )
    b2 = -1.119011592875110e-10 + t * (-1.941660213148725e-11 - 1.864826425365600e-14 * t + 1.119522344879478e-14 * s)
    b3 = -1.200507748551599e-15 + 6.057902487546866e-17 * t
    b0t = 2.775927747785646e-3 + t * (
        2 * -2.349607444135925e-5 + t * (3 * 1.119513357486743e-6 + 4 * 6.743689325042773e-10 * t)
    )
    b0t += s * (
        -2.764306979894411e-5
        + t * (2 * 1.262937315098546e-7 + t * (3 * 9.527875081696435e-10 - 4 * 1.811147201949891e-11 * t))
    )
    b0t += (
        s
        * root
        * (
            3.801564588876298e-7
            + t * (2 * -7.672876869259043e-9 + t * (3 * -4.634182341116144e-11 + 4 * 2.681097235569143e-12 * t))
        )
    )
    b1t = (
        -3.212746477974189e-7
        + t * (2 * 3.191413910561627e-9 - 3 * 1.931012931541776e-12 * t)
        + 6.211426728363857e-10 * s
    )
    b2t = -1.941660213148725e-11 - 2 * 1.864826425365600e-14 * t + 1.119522344879478e-14 * s
    b3t = 6.057902487546866e-17
    # Partial fractions, and their derivatives.
    c1 = b3 / a2
    c0 = (b2 - a1 * c1) / a2
    d1 = b1 - a1 * c0 - a0 * c1
    d0 = b0 - a0 * c0
    c1t = (b3t - c1 * a2t) / a2
    c0t = (b2t - a1t * c1 - a1 * c1t - c0 * a2t) / a2
    d1t = b1t - a1t * c0 - a1 * c0t - a0t * c1 - a0 * c1t
    d0t = b0t - a0t * c0 - a0 * c0t
    e = d1 / (2 * a2)
    et = (d1t - 2 * e * a2t) / (2 * a2)
    f = d0 - e * a1
    ft = d0t - et * a1 - e * a1t
    # The integral of 1 / (a0 + a1 p + a2 p²) from 0 to p.
    r = sqrt(a1 * a1 - 4 * a0 * a2)
    rt = (a1 * a1t - 2 * (a0t * a2 + a0 * a2t)) / r
    u, w = 2 * a0 + p * (a1 + r), 2 * a0 + p * (a1 - r)
    ut, wt = 2 * a0t + p * (a1t + rt), 2 * a0t + p * (a1t - rt)
    j = log(u / w) / r
    jt = (ut / u - wt / w - rt * j) / r
    q, qt = a0 + p * (a1 + p * a2), a0t + p * (a1t + p * a2t)
    return DBAR * (p * (c0t + 0.5 * p * c1t) + et * log(q / a0) + e * (qt / q - a0t / a0) + ft * j + f * jt)
