"""The two notifications that the ERP's owner printed, byte for byte."""

CUSTOMER = """\
{
"id": "134719",
"status": "Active",
"name": "Customer Name Here",
"contactMedium": [
{
"characteristic": {
"city": "İSTANBUL(Anadolu)",
"country": "Türkiye",
"phoneNumber": "5xxxxxxxxx",
"socialNetworkId": "11111111111",
"street1": "içerenköy"
}
}
]
}
""".encode()

SUBSCRIPTION = """\
{
"id":"123462",
"agreementType":"Kiralama",
"documentNumber":"108999",
"name":"RAMAZAN ÖZEKİNCİ",
"status":"Active",
"characteristic":[
{
"name":"CAMPAIGN",
"valueType":"String",
"value":"24 AY TAAHHÜTLÜ"
},
{
"name":"MONTAGEADRESS",
"valueType":"String",
"value":"PINAR MAH. ONDOKUZ MAYIS BLV. AK TOWERS NO:42 İÇ KAPI NO:84"
},
{
"name":"MONTAGECOUNTY",
"valueType":"String",
"value":"ESENYURT"
},
{
"name":"MONTAGECITY",
"valueType":"String",
"value":"İSTANBUL(Avrupa)"
},
{
"name":"MONTAGE_DATE",
"valueType":"Date",
"value":"2021-08-16"
},
{
"name":"TOTAL_PAST_DUE_INSTALMENT",
"valueType":"Float",
"value":"0.0"
},
{
"name":"PANELBRAND",
"valueType":"String",
"value":"EBS"
},
{
"name":"PANELMODEL",
"valueType":"String",
"value":"CPX-300W"
},
{
"name":"PANELNO",
"valueType":"String",
"value":"1065885"
},
{
"name":"SALESEMP","valueType":"String","value":"ÜMİT"
},
{
"name":"STAGE","valueType":"String","value":"6 - Sinyal Alımı Gerçekleşti"
}
],
"completionDate":{"endDateTime":"2023-08-16","startDateTime":"2021-08-13"},
"engagedParty":[ { "id" : "134719" } ]
}
""".encode()
