"""Realistic ERP notifications, any number of them, the same for the same seed.

A payload is a function of the seed, a number and a version, so nothing has to be remembered to
publish an update, or the very same bytes again:

    erp = Erp(seed=1)
    erp.subscription(7)                   # a new subscription
    erp.subscription(7, version=1)        # the same with two other values: stage and debt
    erp.status_of_customer(7, "Passive")  # a message that says nothing but the status

The people are invented and cannot be real: identity numbers begin with 0, which no real one does,
telephone numbers with 500, which no operator has, and mail goes to example.com.
"""

import json
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TypeVar

T = TypeVar("T")

FIRST_CUSTOMER_ID = 200_000
FIRST_SUBSCRIPTION_ID = 500_000

_GIVEN_NAMES = ("AYŞE", "ÇAĞLA", "DOĞUKAN", "FATMA GÜL", "GÖKÇE", "HÜSEYİN", "IŞIL", "İBRAHİM",
                "MÜGE", "ÖMER FARUK", "RAMAZAN", "SITKI", "ŞEYMA", "TUĞBA", "ÜMİT", "YİĞİT")
_FAMILY_NAMES = ("AĞAOĞLU", "BOZKURT", "ÇELİK", "DEMİRCİOĞLU", "GÜNEŞ", "IŞIKLI", "İNCE", "KIRÇIL",
                 "ÖZDEMİR", "ŞAHİN", "ŞİMŞEK", "TÜRKOĞLU", "ÜNAL", "YILDIRIM")
_COMPANIES = ("Çınar Eczanesi", "Işık Güvenlik Ltd. Şti.", "İnci Kuyumculuk",
              "Öz Gıda San. ve Tic. A.Ş.", "Şirin Kırtasiye", "Üç Yıldız Otomotiv")
_CITIES = ("İSTANBUL(Anadolu)", "İSTANBUL(Avrupa)", "ANKARA", "İZMİR", "ESKİŞEHİR", "MUĞLA",
           "ŞANLIURFA", "KIRIKKALE", "ÇORUM", "DÜZCE")
_COUNTIES = ("ESENYURT", "KADIKÖY", "ÜSKÜDAR", "BEŞİKTAŞ", "ÇANKAYA", "KARŞIYAKA", "ODUNPAZARI",
             "GÖLBAŞI", "İNEGÖL", "ŞİŞLİ")
_DISTRICTS = ("içerenköy", "Caferağa Mah.", "PINAR MAH.", "Kızılay", "Göztepe Mah.",
              "Şehit Şerife Bacı Mah.", "Çiğdem Mah.")
_STREETS = ("ONDOKUZ MAYIS BLV.", "Bağdat Cad.", "ATATÜRK CAD.", "Gül Sok.", "ÖĞRETMENLER CAD.",
            "Işık Sok.")
_CAMPAIGNS = ("24 AY TAAHHÜTLÜ", "36 AY TAAHHÜTLÜ", "TAAHHÜTSÜZ", "ÖĞRETMENLERE ÖZEL",
              "YAZ İNDİRİMİ")
_PANELS = (("EBS", "CPX-300W"), ("EBS", "CPX-220NWB"), ("PARADOX", "MG5050+"), ("DSC", "PC1832"))
_STAGES = ("1 - Sözleşme İmzalandı", "2 - Keşif Yapıldı", "3 - Montaj Planlandı",
           "4 - Montaj Yapıldı", "5 - Sinyal Bekleniyor", "6 - Sinyal Alımı Gerçekleşti")
_AGREEMENTS = ("Kiralama", "Satış", "Bakım")
_SALES = ("ÜMİT", "ÇİĞDEM", "IŞIL", "BARIŞ", "ŞÜKRÜ")

_FIRST_DAY = date(2018, 1, 1)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _body(payload: dict[str, object]) -> bytes:
    return _encode(payload).encode()


def _triplet(name: str, value_type: str, value: str) -> dict[str, str]:
    return {"name": name, "valueType": value_type, "value": value}


class _Dice:
    """Random.choice and Random.randrange, several times faster and not perfectly fair."""

    def __init__(self, seed: int, kind: int, number: int):
        self.roll: Callable[[], float] = random.Random(seed << 64 | kind << 56 | number).random

    def below(self, limit: int) -> int:
        return int(self.roll() * limit)

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.roll() * len(choices))]

    def one_in(self, number: int) -> bool:
        return self.roll() * number < 1

    def day(self) -> date:
        return _FIRST_DAY + timedelta(days=self.below(2500))


class Erp:
    """Numbers count from 0 and become ids; each kind has its own."""

    def __init__(self, seed: int = 1):
        self._seed = seed

    @staticmethod
    def customer_id(number: int) -> str:
        return str(FIRST_CUSTOMER_ID + number)

    @staticmethod
    def subscription_id(number: int) -> str:
        return str(FIRST_SUBSCRIPTION_ID + number)

    def customer(self, number: int, version: int = 0) -> bytes:
        """A customer with one to four contact media. Each version has another telephone number."""
        dice = _Dice(self._seed, 1, number)
        is_company = dice.one_in(4)
        payload: dict[str, object] = {
            "id": self.customer_id(number),
            "status": "Passive" if dice.one_in(12) else "Active",
            "name": dice.one_of(_COMPANIES) if is_company else _person(dice),
            "contactMedium": _contact_media(dice, version),
        }
        if dice.one_in(4):
            payload["customerType"] = "Kurumsal" if is_company else "Bireysel"
            payload["taxOffice"] = dice.one_of(_COUNTIES)
        if dice.one_in(6):
            payload["addresses"] = [{"type": "Fatura", "city": dice.one_of(_CITIES),
                                     "floor": dice.below(12), "isDefault": True}]
        return _body(payload)

    def subscription(self, number: int, version: int = 0, customer: int | None = None) -> bytes:
        """A subscription with 11 characteristics or more, of the customer of the same number if
        none is given.

        Two of the characteristics differ from those of the version before.
        """
        if customer is None:
            customer = number
        dice = _Dice(self._seed, 2, number)
        start = dice.day()
        payload: dict[str, object] = {
            "id": self.subscription_id(number),
            "agreementType": dice.one_of(_AGREEMENTS),
            "documentNumber": str(300_000 + number),
            "name": _person(dice),
            "status": "Passive" if dice.one_in(12) else "Active",
            "characteristic": _characteristics(dice, start, version),
            "completionDate": {"endDateTime": str(start + timedelta(days=730)),
                               "startDateTime": str(start)},
            "engagedParty": [{"id": self.customer_id(customer)}],
        }
        if dice.one_in(3):
            payload["properties"] = [
                _triplet("MONTHLY_FEE", "Decimal", f"{200 + dice.below(900)}.{dice.below(100):02}"),
                _triplet("IS_CORPORATE", "Boolean", "true" if dice.one_in(2) else "false"),
                _triplet("LAST_SIGNAL", "DateTime",
                         f"{start}T{dice.below(24):02}:{dice.below(60):02}:00+03:00"),
            ][:1 + dice.below(3)]
        if dice.one_in(10):
            payload["engagedParty"] = [
                {"id": self.customer_id(customer), "role": "Sözleşme Sahibi"},
                {"id": self.customer_id(dice.below(customer + 1)), "name": _person(dice),
                 "role": "Ödeyen", "@referredType": "Customer"},
            ]
        return _body(payload)

    def status_of_customer(self, number: int, status: str) -> bytes:
        """What a deactivation may look like: nothing else is said, so nothing else changes."""
        return _body({"id": self.customer_id(number), "status": status})

    def status_of_subscription(self, number: int, status: str) -> bytes:
        return _body({"id": self.subscription_id(number), "status": status})


def _person(dice: _Dice) -> str:
    return f"{dice.one_of(_GIVEN_NAMES)} {dice.one_of(_FAMILY_NAMES)}"


def _street(dice: _Dice) -> str:
    return (f"{dice.one_of(_DISTRICTS)} {dice.one_of(_STREETS)} NO:{1 + dice.below(200)} "
            f"İÇ KAPI NO:{1 + dice.below(40)}")


def _contact_media(dice: _Dice, version: int) -> list[dict[str, object]]:
    phone = (dice.below(10_000_000) + version * 7919) % 10_000_000
    media: list[dict[str, object]] = [{
        "characteristic": {
            "city": dice.one_of(_CITIES),
            "country": "Türkiye",
            "phoneNumber": f"500{phone:07}",
            "socialNetworkId": f"0{dice.below(10_000_000_000):010}",
            "street1": _street(dice),
        },
    }]
    if dice.one_in(2):
        address = f"musteri{dice.below(1_000_000)}@example.com"
        media.append({"mediumType": "email", "preferred": True,
                      "characteristic": {"emailAddress": address}})
    if dice.one_in(3):
        media.append({"mediumType": "phone",
                      "characteristic": {"contactType": "İş",
                                         "phoneNumber": f"500{dice.below(10_000_000):07}"},
                      "validFor": {"startDateTime": str(dice.day())}})
    if dice.one_in(5):  # the flat form, without "characteristic"
        media.append({"mediumType": "postalAddress", "city": dice.one_of(_CITIES),
                      "stateOrProvince": dice.one_of(_COUNTIES),
                      "postCode": f"0{dice.below(10_000):04}", "street1": _street(dice)})
    return media


def _characteristics(dice: _Dice, start: date, version: int) -> list[dict[str, str]]:
    brand, model = dice.one_of(_PANELS)
    debt = dice.below(4) * 12_500 + version * 1_250
    values = [
        _triplet("CAMPAIGN", "String", dice.one_of(_CAMPAIGNS)),
        _triplet("MONTAGEADRESS", "String", _street(dice)),
        _triplet("MONTAGECOUNTY", "String", dice.one_of(_COUNTIES)),
        _triplet("MONTAGECITY", "String", dice.one_of(_CITIES)),
        _triplet("MONTAGE_DATE", "Date", str(start + timedelta(days=3))),
        _triplet("TOTAL_PAST_DUE_INSTALMENT", "Float", f"{debt // 100}.{debt % 100}"),
        _triplet("PANELBRAND", "String", brand),
        _triplet("PANELMODEL", "String", model),
        _triplet("PANELNO", "String", str(1_000_000 + dice.below(900_000))),
        _triplet("SALESEMP", "String", dice.one_of(_SALES)),
        _triplet("STAGE", "String", _STAGES[(dice.below(len(_STAGES)) + version) % len(_STAGES)]),
    ]
    if dice.one_in(3):
        values.append(_triplet("SIMCARDNO", "String", f"8990{dice.below(10**12):012}"))
        values.append(_triplet("ZONE_COUNT", "Integer", str(dice.below(16))))
    if dice.one_in(5):
        values += [_triplet("NOTE", "String", text)
                   for text in ("Anahtar kapıcıda", "Köpek var, öncesinde arayın")]
    return values
